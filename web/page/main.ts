/** The page: the start, or the editor of the codespace that the address names. */

import { connect, type Connection, type Refusal, type Status } from "../client/index.js";
import { formatHash, parseHash, type Place } from "./address.js";
import { ApiError } from "./api.js";
import { hideBanner, showBanner } from "./banner.js";
import { PageEditor } from "./editor.js";
import { copyText, make, part, saveText } from "./elements.js";
import { LANGUAGES, languageOf } from "./languages.js";
import { forgetRecent, loadName, rememberRecent } from "./memory.js";
import { setUpPeople, showPeople } from "./people.js";
import { setUpShare } from "./share.js";
import { goToNew, showStart } from "./start.js";

/** Milliseconds for which edits may be on their way before that is worth a word. */
const SAVING_MS = 600;
/** Milliseconds of being away before it is worth a banner: a restart of a server takes less. */
const AWAY_MS = 2500;
/** Milliseconds between two notes of where one was. */
const REMEMBER_MS = 5000;

const announcer = part("announcer", HTMLElement);
const connectionBox = part("connection", HTMLElement);
const connectionText = part("connection-text", HTMLElement);

/** What is said of the connection, under a name for how it looks. */
function described(status: Status): [look: string, text: string] {
  const { state, storage, unsaved, kept, mode } = status;
  const edits = unsaved === 1 ? "1 edit" : `${unsaved} edits`;
  const waiting = unsaved > 0 ? `, ${edits} not saved yet` : "";
  if (state === "closed") return ["closed", `Not connected${waiting}`];
  if (state === "connecting") return ["connecting", "Connecting…"];
  if (state === "reconnecting")
    return [
      "reconnecting",
      `Reconnecting…${unsaved > 0 ? ` ${edits} not saved yet` : ""}${kept ? "" : "; keep this page open"}`,
    ];
  if (storage === "down")
    return ["waiting", unsaved > 0 ? `The server cannot save now, ${edits} wait` : "The server cannot save now"];
  if (mode === "view_only") return ["saved", "Up to date"];
  return unsaved > 0 ? ["saving", "Saving…"] : ["saved", "Saved"];
}

class Session {
  readonly #place: Place;
  readonly #editor: PageEditor;
  readonly #connection: Connection;
  #language: string;
  #savingTimer: ReturnType<typeof setTimeout> | undefined;
  #awayTimer: ReturnType<typeof setTimeout> | undefined;
  #rememberTimer: ReturnType<typeof setTimeout> | undefined;
  /** How the connection looks now. */
  #look = "connecting";

  constructor(place: Place) {
    this.#place = place;
    this.#language = languageOf(place.language).id;
    for (const id of ["share", "menu", "heading", "editor", "footer"]) part(id, HTMLElement).hidden = false;
    const position = part("place", HTMLElement);
    this.#editor = new PageEditor(
      part("editor", HTMLElement),
      (line, column) => (position.textContent = `${line}:${column}`),
      () => this.#rememberSoon(),
    );
    this.#connection = connect(this.#editor.view, `/codespace/${place.token}/`, {
      name: loadName(),
      onStatus: (status) => this.#onStatus(status),
      onPeers: (peers) => showPeople(this.#connection, peers),
      onRefused: (refusal) => this.#onRefused(refusal),
    });
    setUpPeople(this.#connection);
    setUpShare(place.token, () => ({ mode: this.#connection.status.mode, language: this.#language }));
    this.#setUpMenu();
    this.#setUpLanguages();
    addEventListener("beforeunload", (event) => {
      const { unsaved, kept } = this.#connection.status;
      if (unsaved > 0 && !kept) event.preventDefault();
    });
    const state = history.state as { isNew?: boolean } | null;
    if (state?.isNew) {
      history.replaceState(null, "");
      this.#welcome();
    }
    this.#editor.view.focus();
  }

  #welcome(): void {
    const sentence = "This is a new codespace. Open its address in a second window, or send it to somebody, and type.";
    const close = (): void => hideBanner("new");
    showBanner("new", "note", sentence, [
      ["Open a second window", () => (window.open(location.href, "_blank", "noopener"), close())],
      ["Copy the address", () => void copyText(location.href).then(close)],
      ["Got it", close],
    ]);
  }

  #onStatus(status: Status): void {
    part("mode", HTMLElement).hidden = status.mode === "edit" || !["connected", "reconnecting"].includes(status.state);
    part("share", HTMLElement).hidden = status.state === "closed";
    const [look, text] = described(status);
    clearTimeout(this.#savingTimer);
    // Most edits are saved before one could read that they are not.
    if (look === "saving" && this.#look === "saved") {
      this.#savingTimer = setTimeout(() => this.#show(look, text), SAVING_MS);
    } else {
      this.#show(look, text);
    }
    if (status.state === "closed") this.#onClosed(status);
    else this.#onAway(status);
  }

  #show(look: string, text: string): void {
    if (look !== this.#look && look !== "saving" && (look !== "saved" || this.#look !== "saving")) {
      announcer.textContent = text;
    }
    this.#look = look;
    connectionBox.dataset["state"] = look;
    connectionText.textContent = text;
  }

  /** Say so when the connection is away for long. */
  #onAway(status: Status): void {
    if (status.state === "connected") {
      clearTimeout(this.#awayTimer);
      this.#awayTimer = undefined;
      hideBanner("away");
      return;
    }
    this.#awayTimer ??= setTimeout(() => {
      const { ended, unsaved, kept } = this.#connection.status;
      const reason = ended?.reason ? ` (${ended.reason})` : "";
      const fate = kept
        ? "What you type is kept in this browser and sent later."
        : "Keep this page open: what you type cannot be kept in this browser.";
      const sentence = `There is no connection to the server${reason}. ${this.#connection.status.state === "reconnecting" || unsaved > 0 ? fate : ""}`;
      showBanner("away", "wait", sentence.trim(), [["Try now", () => this.#connection.retry()]]);
    }, AWAY_MS);
  }

  #onClosed({ ended, unsaved }: Status): void {
    clearTimeout(this.#awayTimer);
    const { code, reason } = ended ?? { code: 1000, reason: "" };
    const lost = unsaved > 0 ? " What you typed last was not saved there; it is still on this screen." : "";
    const keepText: [string, () => void][] = [];
    if (this.#editor.text !== "") {
      keepText.push(
        ["New codespace with this text", () => this.#makeNew(this.#editor.text)],
        ["Download", () => this.#download()],
      );
    } else {
      keepText.push(["New codespace", () => this.#makeNew("")]);
    }
    if (code === 1000) {
      const again: [string, () => void] = ["Use it here", () => location.reload()];
      showBanner("closed", "wait", "This codespace is open in another window of this browser.", [again]);
    } else {
      if (code === 4404 || code === 4410 || code === 4401) forgetRecent(this.#place.token);
      showBanner("closed", "bad", `${sentenceOf(reason) || `The connection was closed (${code}).`}${lost}`, keepText);
    }
  }

  #onRefused({ code, reason, inserted, forget }: Refusal): void {
    const actions: [string, () => void][] = [["Close", () => (forget?.(), hideBanner("refused"))]];
    if (inserted !== "") actions.unshift(["Copy what was taken back", () => void copyText(inserted)]);
    const fate = code === "set_aside" ? "Text of an earlier visit could not be saved" : "An edit was taken back";
    showBanner("refused", "bad", `${fate}: ${reason}.`, actions);
  }

  #setUpLanguages(): void {
    const select = part("language", HTMLSelectElement);
    for (const { id, name } of LANGUAGES) {
      const option = select.appendChild(make("option", name));
      option.value = id;
    }
    select.value = this.#language;
    select.addEventListener("change", () => {
      this.#language = select.value;
      history.replaceState(history.state, "", formatHash(this.#place.token, this.#language));
      this.#setLanguage();
      this.#rememberSoon();
    });
    this.#setLanguage();
  }

  /** Have the text shown in the colours of the chosen language, or say that they could not be loaded. */
  #setLanguage(): void {
    this.#editor.setLanguage(languageOf(this.#language)).then(
      () => hideBanner("language"),
      () =>
        showBanner(
          "language",
          "note",
          "The colours of this language could not be loaded. You can go on typing. To try again, reload the page.",
          [["Reload", () => location.reload()]],
        ),
    );
  }

  #setUpMenu(): void {
    const button = part("menu-button", HTMLButtonElement);
    const list = part("menu-list", HTMLElement);
    const items = [...list.querySelectorAll("button")];
    const open = (isOpen: boolean): void => {
      list.hidden = !isOpen;
      button.ariaExpanded = String(isOpen);
      if (isOpen) items[0]?.focus();
    };
    button.addEventListener("click", () => open(list.hidden !== false));
    document.addEventListener("pointerdown", ({ target }) => {
      if (!(target instanceof Node && part("menu", HTMLElement).contains(target))) open(false);
    });
    list.addEventListener("keydown", (event) => {
      const index = items.findIndex((item) => item === document.activeElement);
      const steps: Record<string, number> = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: -1 };
      const step = steps[event.key];
      if (event.key === "Escape") {
        open(false);
        button.focus();
      } else if (event.key === "Tab") {
        open(false);
      } else if (step !== undefined) {
        items.at(step % items.length)?.focus();
        event.preventDefault();
      }
    });
    const on = (id: string, act: () => void): void =>
      part(id, HTMLButtonElement).addEventListener("click", () => {
        open(false);
        act();
      });
    on(
      "copy",
      () =>
        void copyText(this.#editor.text).then((done) =>
          this.#say(done ? "Text copied." : "This browser does not let pages copy."),
        ),
    );
    on("download", () => this.#download());
    on("search", () => this.#editor.openSearch());
    on("new", () => this.#makeNew(""));
  }

  #say(sentence: string): void {
    announcer.textContent = sentence;
  }

  #download(): void {
    saveText(this.#editor.text, `codespace.${languageOf(this.#language).extension}`);
  }

  #makeNew(text: string): void {
    goToNew(text, this.#language).catch((error: unknown) => {
      if (!(error instanceof ApiError)) throw error;
      showBanner("failed", "bad", `No codespace was made: ${error.message}.`, [["Close", () => hideBanner("failed")]]);
    });
  }

  #rememberSoon(): void {
    this.#rememberTimer ??= setTimeout(() => {
      this.#rememberTimer = undefined;
      const title =
        this.#editor.text
          .slice(0, 2000)
          .split("\n")
          .find((line) => line.trim() !== "") ?? "";
      rememberRecent({
        token: this.#place.token,
        language: this.#language,
        title: title.trim().slice(0, 60),
        at: Date.now(),
      });
    }, REMEMBER_MS);
  }
}

/** Return a reason as a sentence. */
function sentenceOf(reason: string): string {
  if (reason === "") return "";
  return `${reason[0]!.toUpperCase()}${reason.slice(1)}${/[.!?]$/.test(reason) ? "" : "."}`;
}

const place = parseHash(location.hash);
if (place === null) showStart();
else new Session(place);
// Another codespace is another page.
addEventListener("hashchange", () => {
  const next = parseHash(location.hash);
  if (next?.token !== place?.token) location.reload();
});
