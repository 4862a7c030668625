// Keeps the page up to date: it fetches the page again when the sandbox says that something changed, and replaces only
// what differs, so that focus, selections and playing audio stay. Without this script, the page works with reloads.
"use strict";

(() => {
  const SHORTEST_PAUSE = 250; // Milliseconds between two updates.
  const RETRY_PAUSE = 2000; // Milliseconds until an update that failed is tried again.
  const LIVE = "Live";
  const tabs = new BroadcastChannel("events");
  const connection = document.getElementById("connection");
  const notice = document.getElementById("notice");
  const news = document.getElementById("news");
  let queue = Promise.resolve();
  let isWaiting = false;
  let clearing;
  let unsaid = 0;
  let announcing = null;
  let clock;
  let stream = ""; // The state of the event stream: `LIVE`, or the problem.
  let isListening = false; // This tab has the stream, and tells the others.
  let hasFailed = false; // The last update failed.
  let disconnect;

  function say(text) {
    clearTimeout(clearing);
    notice.textContent = ""; // So that a screen reader says the same text again.
    setTimeout(() => (notice.textContent = text), 50);
    clearing = setTimeout(() => (notice.textContent = ""), 8000);
  }

  // Tell users of screen readers what is new, but not more often than they can listen.
  function announce(added) {
    if (added < 0) {
      unsaid = 0;  // The sandbox has started over.
      news.textContent = "";
    }
    unsaid += Math.max(0, added);
    if (!unsaid || announcing) return;
    announcing = setTimeout(() => {
      news.textContent = unsaid === 1 ? "1 new message" : `${unsaid} new messages`;
      unsaid = 0;
      announcing = null;
    }, 5000);
  }

  // Change `old` until it equals `fresh`. Elements with an id stay themselves wherever they move.
  function morph(old, fresh) {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
      old.replaceWith(document.importNode(fresh, true));
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      old.nodeValue = fresh.nodeValue;
      return;
    }
    for (const { name } of [...old.attributes]) {
      if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name); // A reader opens details.
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    const wanted = new Set([...fresh.children].map((child) => child.id));
    for (const child of [...old.children]) if (child.id && !wanted.has(child.id)) child.remove();
    const kept = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
    let at = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const same = child.id ? kept.get(child.id) : at && !at.id && at.nodeName === child.nodeName ? at : null;
      if (!same) {
        old.insertBefore(document.importNode(child, true), at);
      } else {
        if (same === at) at = at.nextSibling;
        else old.insertBefore(same, at);
        morph(same, child);
      }
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  }

  async function show(response) {
    if (!response.ok) throw new Error(await response.text());
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    const total = () => Number(document.getElementById("inbox-total").dataset.total);
    const before = total();
    const focused = document.activeElement;
    const section = focused?.closest("section");
    for (const part of document.querySelectorAll("[data-live]")) {
      const other = fresh.getElementById(part.id);
      if (other) morph(part, other);
    }
    if (!focused?.isConnected) section?.focus(); // What had the focus is gone, such as a button of a fault.
    document.title = fresh.title;
    startClock();
    announce(total() - before);
  }

  function update() {
    if (isWaiting || document.hidden) return;
    isWaiting = true;
    queue = queue.then(async () => {
      isWaiting = false;
      const start = performance.now();
      try {
        await show(await fetch(location.href));
        hasFailed = false;
      } catch {
        hasFailed = true;
        setTimeout(update, RETRY_PAUSE);
      }
      showState();
      // A page that takes long to render must not keep the sandbox busy.
      const pause = Math.max(SHORTEST_PAUSE, 3 * (performance.now() - start));
      await new Promise((resume) => setTimeout(resume, pause));
    });
  }

  function act(form, submitter) {
    queue = queue.then(async () => {
      try {
        await show(await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form, submitter)) }));
        say(form.dataset.done);
      } catch (error) {
        say(`It did not work: ${error.message}`);
      }
    });
  }

  // The sandbox's clock, as it runs between two updates.
  function startClock() {
    const element = document.getElementById("clock");
    const { now, rate } = element.dataset;
    if (clock && clock.now === now) return;
    clock = { element, now, rate: Number(rate), since: performance.now() };
  }

  function tick() {
    const at = Number(clock.now) + ((performance.now() - clock.since) / 1000) * clock.rate;
    const local = new Date((at + 20700) * 1000); // Nepal is 5:45 h ahead of UTC.
    const text = local.toUTCString(); // As in "Thu, 26 Nov 2026 14:03:22 GMT".
    clock.element.textContent = `${text.slice(5, 16)}, ${text.slice(17, 25)}`;
  }

  async function copy(button) {
    const source = document.getElementById(button.dataset.copy);
    const selection = getSelection();
    selection.selectAllChildren(source);
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
    } catch {
      if (!document.execCommand("copy")) { // Without TLS, only the address of this machine has a clipboard.
        say("The text is selected: press Ctrl-C to copy it.");
        return;
      }
    }
    say("Copied.");
  }

  function showState() {
    const text = stream === LIVE && hasFailed ? "Update failed" : stream;
    if (text === connection.textContent || document.hidden) return;
    if (text !== LIVE && connection.classList.contains("live")) {
      say(stream === LIVE ? "The page could not be updated. It tries again." : "The connection to the sandbox is lost.");
    }
    connection.textContent = text;
    connection.classList.toggle("live", text === LIVE);
    connection.hidden = !text;
  }

  function hear(text) {
    stream = text;
    if (text === LIVE) update();
    showState();
  }

  // Keep the event stream open until the signal, and tell the other tabs what it says.
  function listen(signal) {
    if (signal.aborted) return;
    return new Promise((resolve) => {
      const events = new EventSource("/control/v1/events");
      const tell = (text) => {
        hear(text);
        tabs.postMessage(text);
      };
      isListening = true;
      events.onopen = events.onmessage = () => tell(LIVE);
      events.onerror = () => tell(events.readyState === EventSource.CLOSED ? "Not live: reload" : "Not connected");
      signal.addEventListener("abort", () => {
        events.close();
        isListening = false;
        resolve();
      });
    });
  }

  // A browser opens only six connections to a host. So one of the tabs that are shown listens for all of them.
  function connect() {
    const controller = new AbortController();
    const { signal } = controller;
    disconnect = () => controller.abort();
    if (navigator.locks) navigator.locks.request("events", { signal }, () => listen(signal)).catch(() => {});
    else listen(signal); // Without TLS, only the address of this machine has locks.
    tabs.postMessage("ask");
  }

  function followVisibility() {
    disconnect?.();
    if (document.hidden) return;
    connect();
    update();
  }

  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post") return;
    event.preventDefault();
    act(event.target, event.submitter);
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
  });
  document.addEventListener("visibilitychange", followVisibility);
  tabs.onmessage = ({ data }) => {
    if (data !== "ask") hear(data);
    else if (isListening && stream) tabs.postMessage(stream);
  };
  for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
  startClock();
  setInterval(tick, 250);
  followVisibility();
})();
