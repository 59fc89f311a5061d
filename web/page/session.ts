/** The editor of one codespace, kept connected, and all that the page says about the two. */

import { connect, type Connection, type Mode, type Status } from "../client/index.js";
import { formatHash, type Place } from "./address.js";
import { ApiError } from "./api.js";
import { hideBanner, showBanner, type Action } from "./banner.js";
import { LanguageChoice, languageOfFile } from "./choice.js";
import { PageEditor } from "./editor.js";
import { copyText, part, saveText } from "./elements.js";
import { LinkEnd } from "./ending.js";
import { linkEnd } from "./ends.js";
import { showFailure } from "./failed.js";
import { failureOf } from "./failure.js";
import { keepFocus } from "./focus.js";
import { Hint } from "./hint.js";
import { LANGUAGES } from "./languages.js";
import { findRecent, forgetRecent, isNamed, loadName, loadWrapping, saveWrapping, titleOf } from "./memory.js";
import { setUpMenu } from "./menu.js";
import { isolated } from "./names.js";
import { News } from "./news.js";
import { Notes } from "./notes.js";
import { People } from "./people.js";
import { setUpPrint } from "./print.js";
import { setUpShare } from "./share.js";
import { goToNew } from "./start.js";
import { fate, sentence } from "./state.js";
import { StatusLine } from "./status.js";
import { TakenBack } from "./taken.js";
import { markNews, setTitle } from "./titles.js";
import { showToast } from "./toast.js";
import { answerTyping } from "./viewing.js";
import { OwnWindows } from "./windows.js";

/** Milliseconds of being away before it is worth a banner: a restart of a server takes less. */
const AWAY_MS = 2500;
/** Characters at the start of a text in which its title is looked for. */
const TITLE_WITHIN = 2000;
/** Close codes after which a link will never lead anywhere again. */
const FOR_EVER: ReadonlySet<number> = new Set([4404, 4410]);

export class Session {
  readonly #place: Place;
  readonly #editor: PageEditor;
  readonly #connection: Connection;
  readonly #choice: LanguageChoice;
  readonly #status: StatusLine;
  readonly #notes: Notes;
  readonly #people: People;
  readonly #windows = new OwnWindows((id) => {
    this.#news.forget(id);
    this.#onPeers();
  });
  readonly #news = new News();
  /** Whether one's name was given by chance, and that has not been said. */
  #isNew = !isNamed();
  /** Whether the codespace was open in this browser before. */
  readonly #known: boolean;
  /** Time at which the link ends; null: with the codespace. */
  readonly #endsAt: number | null;
  #linkEnd: LinkEnd | null = null;
  #hint: Hint | null = null;
  /** Whether the codespace's text has been here. */
  #joined = false;
  /** The mode that the editor shows. */
  #mode: Mode = "edit";
  /** Time since which there is no connection. */
  #awaySince: number | null = Date.now();
  /** Time since which the browser says that there is no network. */
  #offlineSince: number | null = null;
  /** Time since which there are unsaved edits at each moment; 0 where the first of them met no connection. */
  #unsavedSince: number | null = null;
  #awayTimer: ReturnType<typeof setTimeout> | undefined;
  /** Whether the banner of being away was shown since the last connection. */
  #wasAway = false;
  /** Refused edits and texts of earlier visits, until they are closed. */
  readonly #taken = new TakenBack();
  /** Ends the tries to make a new codespace, while there are any. */
  #making: AbortController | null = null;

  constructor(place: Place) {
    this.#place = place;
    this.#known = findRecent(place.token) !== undefined;
    this.#endsAt = linkEnd(place.token);
    for (const id of ["share", "menu", "heading", "editor", "footer"]) part(id, HTMLElement).hidden = false;
    const position = part("place", HTMLElement);
    this.#editor = new PageEditor(
      part("editor", HTMLElement),
      loadWrapping(),
      (line, column) => (position.textContent = `${line}:${column}`),
      () => this.#onText(),
    );
    this.#choice = new LanguageChoice(this.#editor, place.language, () => this.#onChoice());
    this.#notes = new Notes(() => ({
      token: place.token,
      language: this.#choice.language.id,
      title: this.#title,
      mode: this.#connection.status.mode,
    }));
    this.#status = new StatusLine(() => this.#connection.retry());
    this.#connection = connect(this.#editor.view, `codespace/${place.token}/`, {
      name: loadName(),
      onStatus: (status) => this.#onStatus(status),
      onPeers: () => this.#onPeers(),
      onLanguage: (name, id) => this.#onLanguage(name, id),
      onRefused: (refusal) => {
        this.#taken.add(refusal);
        this.#showRefusals();
      },
    });
    this.#people = new People(this.#connection, this.#windows);
    setUpShare(place.token, this.#endsAt, {
      mode: () => this.#connection.status.mode,
      language: () => this.#choice.language.id,
      onMade: () => this.#hint?.hide(),
    });
    this.#setUpMenu();
    this.#setUpKeys();
    setUpPrint(
      () => findRecent(place.token)?.name ?? (this.#title || "Codespace"),
      () => this.#editor.text,
    );
    if (this.#endsAt !== null) this.#linkEnd = new LinkEnd(this.#endsAt, this.#waysToKeep());
    const state = history.state as { isNew?: boolean } | null;
    if (state?.isNew) {
      history.replaceState(null, "");
      this.#hint = new Hint();
    }
    this.#nameWindow();
    keepFocus(this.#editor.view);
    // On a phone, only where something can be typed.
    if (!isTouched()) this.#editor.view.focus();
  }

  get #title(): string {
    return titleOf(this.#editor.view.state.doc.sliceString(0, TITLE_WITHIN));
  }

  #nameWindow(): void {
    setTitle(findRecent(this.#place.token)?.name ?? (this.#title || "Empty codespace"));
  }

  #onText(): void {
    if (!this.#joined) return;
    this.#notes.soon();
    this.#nameWindow();
    this.#hint?.typed(this.#editor.view.state.doc.length);
    markNews();
  }

  #onPeers(): void {
    const { peers } = this.#connection;
    this.#windows.tell(this.#connection.id);
    this.#people.show();
    this.#hint?.joined(peers.length);
    const isConnected = this.#connection.status.state === "connected";
    this.#news.update(isConnected ? peers.filter(({ id }) => !this.#windows.has(id)) : null);
    if (isConnected && this.#isNew) {
      this.#isNew = false;
      const change = (): void => this.#people.open(true);
      showToast(`You are here as ${isolated(this.#connection.name)}.`, ["Change name", change]);
    }
  }

  /** A language was chosen here. */
  #onChoice(): void {
    this.#connection.language = this.#choice.language.id;
    this.#rememberLanguage();
  }

  /** A language was chosen by somebody, for all. */
  #onLanguage(name: string, id: string): void {
    const language = LANGUAGES.find((each) => each.id === name);
    if (language === undefined || language === this.#choice.language) return;
    this.#choice.show(language);
    this.#rememberLanguage();
    const peer = this.#connection.peers.find((each) => each.id === id);
    if (peer) this.#news.chosen(`${isolated(peer.name)} set the language to ${language.name}.`);
  }

  #rememberLanguage(): void {
    history.replaceState(history.state, "", formatHash(this.#place.token, this.#choice.language.id));
    this.#notes.soon();
  }

  #onStatus(status: Status): void {
    const { state, mode } = status;
    if (state === "connected") this.#awaySince = null;
    else this.#awaySince ??= Date.now();
    if (state === "connected" && !this.#joined) {
      this.#joined = true;
      // A link can name a language; it is that of all if nobody has chosen another.
      const { id } = this.#choice.language;
      if (this.#connection.language === "" && id === this.#place.language) this.#connection.language = id;
      if (isTouched() && mode === "edit" && document.activeElement === document.body) this.#editor.view.focus();
      this.#notes.write();
      this.#nameWindow();
    }
    const chip = part("mode", HTMLElement);
    if (mode !== this.#mode) {
      this.#mode = mode;
      // The editor may be in the middle of an update.
      queueMicrotask(() => this.#editor.setMode(mode));
    }
    chip.hidden = state !== "closed" && (mode === "edit" || state === "connecting");
    chip.textContent = state === "closed" ? "Read-only" : "View only";
    part("share", HTMLElement).hidden = state === "closed";
    this.#offlineSince = status.offline ? (this.#offlineSince ?? Date.now()) : null;
    if (status.unsaved === 0) this.#unsavedSince = null;
    else this.#unsavedSince ??= state === "connected" ? Date.now() : 0;
    const since = { awaySince: this.#awaySince, offlineSince: this.#offlineSince, unsavedSince: this.#unsavedSince };
    this.#status.update({ ...status, ...since });
    if (state === "closed") this.#onClosed(status);
    else this.#onAway(status);
  }

  /** Say so when the connection is away for long, and when it is back. */
  #onAway({ state, unsaved }: Status): void {
    if (state === "connected") {
      const wasTimed = this.#awayTimer !== undefined;
      clearTimeout(this.#awayTimer);
      this.#awayTimer = undefined;
      hideBanner("away");
      if (wasTimed) this.#showRefusals();
      if (this.#wasAway && unsaved === 0) {
        this.#wasAway = false;
        showToast("Back, everything is saved.");
      }
      return;
    }
    this.#awayTimer ??= setTimeout(() => {
      this.#wasAway = this.#joined;
      const { ended, unsaved, state } = this.#connection.status;
      const reason = ended?.reason ? ` (${ended.reason})` : "";
      const what = state === "reconnecting" || unsaved > 0 ? ` ${fate(this.#connection.status)}` : "";
      const sentence = `There is no connection to the server${reason}.${what}`;
      showBanner("away", "wait", sentence, [["Try now", () => this.#connection.retry()]]);
    }, AWAY_MS);
  }

  #onClosed({ ended, unsaved }: Status): void {
    clearTimeout(this.#awayTimer);
    this.#linkEnd?.stop();
    this.#notes.stop();
    const code = ended?.code ?? 1000;
    const failure = failureOf({ code, linkEnd: this.#endsAt, known: this.#known, now: Date.now() });
    if (FOR_EVER.has(code)) forgetRecent(this.#place.token);
    if (this.#editor.text === "" && unsaved === 0) {
      showFailure(failure, this.#place.token, `Code ${code}`);
      return;
    }
    const kept = "The text is still on this screen; it can be copied and not changed.";
    const lost = unsaved > 0 ? " What you typed last was not saved on the server." : "";
    const actions = code === 1000 ? [["Use it here", () => location.reload()] as const] : this.#waysToKeep();
    showBanner(
      "closed",
      code === 1000 ? "wait" : "bad",
      `${failure.title} ${failure.sentence} ${kept}${lost}`,
      // This banner takes the place of the one that says what was refused.
      [...actions, ...this.#waysToTakenBack()],
    );
  }

  /** Say what was refused and nobody has closed yet: the last reason, and the texts of all. */
  #showRefusals(): void {
    const { sentence } = this.#taken;
    if (sentence === "") return;
    const close = (): void => {
      this.#taken.close();
      hideBanner("refused");
    };
    showBanner("refused", "bad", sentence, [...this.#waysToTakenBack(), ["Close", close]]);
  }

  #waysToTakenBack(): readonly Action[] {
    if (this.#taken.text === "") return [];
    return [["Copy what was taken back", () => void this.#copy(this.#taken.text)]];
  }

  #waysToKeep(): readonly Action[] {
    return [
      ["New codespace with this text", () => this.#makeNew(this.#editor.text)],
      ["Download", () => this.#download()],
    ];
  }

  #setUpMenu(): void {
    const actions = {
      copy: () => void this.#copy(this.#editor.text),
      download: () => this.#download(),
      print: () => print(),
      wrap: () => this.#wrap(),
      search: () => this.#editor.openSearch(),
      new: () => this.#makeNew(""),
    };
    setUpMenu(actions, { wrap: () => this.#editor.isWrapped });
  }

  #wrap(): void {
    this.#editor.chooseWrapping(!this.#editor.isWrapped);
    saveWrapping(this.#editor.isWrapped);
  }

  #setUpKeys(): void {
    answerTyping(
      this.#editor.view.contentDOM,
      () => this.#joined && this.#editor.view.state.readOnly,
      () =>
        showToast(
          this.#connection.status.state === "closed"
            ? "This text is read-only now. It can be copied."
            : "You can view this text and not change it. Ask for a link for editing.",
        ),
    );
    document.addEventListener("keydown", (event) => {
      const key = event.key.toLowerCase();
      const isModified = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
      if (!isModified || event.defaultPrevented || document.querySelector("dialog[open]")) return;
      if (key === "f") {
        event.preventDefault();
        this.#editor.openSearch();
      }
      if (key !== "s") return;
      event.preventDefault();
      const words = part("connection-text", HTMLElement).textContent;
      showToast(this.#status.look === "saved" ? "Saved already." : sentence(words));
    });
    part("editor", HTMLElement).addEventListener(
      "drop",
      ({ dataTransfer }) => {
        const language = languageOfFile(dataTransfer?.files[0]?.name ?? "");
        // Into a text that is there already, a file is only put.
        if (language && this.#connection.status.mode === "edit" && this.#title === "") this.#choice.choose(language);
      },
      { capture: true },
    );
    addEventListener("beforeunload", (event) => {
      const { unsaved, kept } = this.#connection.status;
      if (unsaved > 0 && !kept) event.preventDefault();
    });
  }

  async #copy(text: string): Promise<void> {
    showToast((await copyText(text)) ? "Text copied." : "This browser does not let pages copy.");
  }

  #download(): void {
    saveText(this.#editor.text, `codespace.${this.#choice.language.extension}`);
  }

  /** Go to a new codespace; the server is asked again until it has one, unless the message about that is closed. */
  #makeNew(text: string): void {
    this.#making?.abort();
    const making = (this.#making = new AbortController());
    const close = (): void => {
      making.abort();
      hideBanner("failed");
    };
    const tell = (sentence: string): void => showBanner("failed", "bad", sentence, [["Close", close]]);
    goToNew(text, this.#choice.language.id, tell, making.signal).catch((error: unknown) => {
      if (making.signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      tell(`No codespace was made: ${error.message}.`);
    });
  }
}

/** Whether the device is used with fingers first. */
function isTouched(): boolean {
  return matchMedia("(pointer: coarse)").matches;
}
