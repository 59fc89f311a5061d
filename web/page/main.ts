/** The page: the start, the editor of the codespace that the address names, or the reason why there is none. */

import { formatHash, parseHash } from "./address.js";
import { showFailure } from "./failed.js";
import { BROKEN } from "./failure.js";
import { Session } from "./session.js";
import { showStart } from "./start.js";

const address = parseHash(location.hash);
if (address === "start") showStart();
else if (address === "broken") showFailure(BROKEN);
else {
  const { token, language } = address;
  // The address loses what was added to the link, so that it can be given on.
  if (location.hash !== `#${token}` && location.hash !== formatHash(token, language))
    history.replaceState(history.state, "", formatHash(token, language));
  new Session(address);
}

// Another codespace is another page.
const tokenOf = (place: typeof address): string => (typeof place === "string" ? place : place.token);
addEventListener("hashchange", () => {
  if (tokenOf(parseHash(location.hash)) !== tokenOf(address)) location.reload();
});
