/* Built from web/ by `npm run build`; its parts' licences are in licenses.txt. */
import{a,b,c,d}from"./part-I52GCXQ2.js";import"./part-LV3XLHH3.js";import"./part-UH4PR6VH.js";export{d as css,b as cssCompletionSource,c as cssLanguage,a as defineCSSCompletionSource};
