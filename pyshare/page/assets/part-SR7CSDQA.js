/* Built from web/ by `npm run build`; its parts' licences are in licenses.txt. */
import{a,b,c,d}from"./part-4SOOGUB7.js";import"./part-NYL5W55B.js";import"./part-2NBN5HAH.js";export{d as css,b as cssCompletionSource,c as cssLanguage,a as defineCSSCompletionSource};
