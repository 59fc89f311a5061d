/* Built from web/ by `npm run build`; its parts' licences are in licenses.txt. */
import{a,b,c,d,e}from"./part-6NRNP2EK.js";import"./part-I52GCXQ2.js";import"./part-SL347HKZ.js";import"./part-YGCD723U.js";import"./part-LV3XLHH3.js";import"./part-UH4PR6VH.js";export{e as autoCloseTags,d as html,a as htmlCompletionSource,b as htmlCompletionSourceWith,c as htmlLanguage};
