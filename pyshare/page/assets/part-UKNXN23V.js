/* Built from web/ by `npm run build`; its parts' licences are in licenses.txt. */
import{a,b,c,d,e}from"./part-LVITSDRC.js";import"./part-4SOOGUB7.js";import"./part-WLNRHKFK.js";import"./part-LZ2GDKQA.js";import"./part-NYL5W55B.js";import"./part-2NBN5HAH.js";export{e as autoCloseTags,d as html,a as htmlCompletionSource,b as htmlCompletionSourceWith,c as htmlLanguage};
