// Keeps the page fresh: on word from the server the same address is fetched again, and its main part exchanged. What
// somebody is typing into or has focused stays as it is; what is unfolded stays unfolded. Commands get a button that
// copies them. Without scripts the page refreshes by itself.
"use strict";
(() => {
  const live = document.getElementById("live");
  const STALE_MS = 60000, AGAIN_MS = 30000;
  let isBusy = false, isWanted = false, isPressed = false, timer = 0, events = null;

  // (Pages that are one form, and those that say why there is none, do not have this script at all.)
  const isTouched = () => {
    const focused = document.activeElement;
    return isPressed || (focused && focused.closest("main form"));
  };

  const say = text => { if (live) live.textContent = text; };

  async function refresh() {
    if (isBusy || document.hidden || isTouched()) { isWanted = true; return; }
    isBusy = true; isWanted = false;
    try {
      const answer = await fetch(location.href, { headers: { "x-live": "1" }, credentials: "same-origin" });
      if (answer.redirected || answer.status === 401) { location.reload(); return; }
      if (!answer.ok) throw new Error(String(answer.status));
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      const from = next.getElementById("main"), to = document.getElementById("main");
      if (!from || !to) return;
      if (isTouched()) { isWanted = true; return; }
      const folded = new Map([...to.querySelectorAll("details[id]")].map(one => [one.id, one.open]));
      const scrolled = new Map([...to.querySelectorAll("[id]")].filter(one => one.scrollLeft).map(one => [one.id, one.scrollLeft]));
      const focus = path(document.activeElement, to);
      from.querySelectorAll("details[id]").forEach(one => { if (folded.has(one.id)) one.open = folded.get(one.id); });
      to.replaceChildren(...from.childNodes);
      scrolled.forEach((left, id) => { const one = document.getElementById(id); if (one) one.scrollLeft = left; });
      dress();
      const again = focus && to.querySelector(focus);
      if (again) again.focus({ preventScroll: true });
      const said = next.getElementById("live");
      if (said && live) live.replaceChildren(...said.childNodes);
    } catch (error) {
      say("Not up to date: the watcher does not answer");
    } finally {
      isBusy = false;
    }
  }

  // How to find again what has the focus: by its id, or by where its link leads.
  function path(one, within) {
    if (!one || one === within || !within.contains(one)) return "";
    if (one.id) return "#" + CSS.escape(one.id);
    const href = one.getAttribute("href");
    if (href) return `${one.localName}[href="${CSS.escape(href)}"]`;
    const holder = one.closest("details[id]");
    return one.localName === "summary" && holder ? `#${CSS.escape(holder.id)} > summary` : "";
  }

  function dress() {
    if (!navigator.clipboard) return; // browsers give it to secure origins alone
    document.querySelectorAll("pre.command:not(:has(button))").forEach(one => {
      const text = one.textContent, button = document.createElement("button");
      button.type = "button"; button.className = "quiet copy"; button.textContent = "Copy";
      button.addEventListener("click", async () => {
        try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; }
        catch (error) { button.textContent = "Not allowed"; }
        setTimeout(() => { button.textContent = "Copy"; }, 2000);
      });
      one.append(button);
    });
  }

  // A page that nobody looks at keeps no stream open: a browser has six for all pages of one address.
  function listen() {
    if (events || document.hidden) return;
    const mine = events = new EventSource("/events");
    mine.addEventListener("changed", event => {
      clearTimeout(timer); // many pages that were told at once do not all ask at once
      timer = setTimeout(refresh, Math.random() * (Number(event.data) || 0));
    });
    mine.onopen = refresh;
    mine.onerror = () => {
      if (events !== mine) return;
      say("Not live: trying to reach the watcher again");
      if (mine.readyState === EventSource.CLOSED) { events = null; setTimeout(listen, AGAIN_MS); }
    };
  }
  function leave() { if (events) { events.close(); events = null; } }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { leave(); return; }
    listen();
    if (isWanted) refresh();
  });
  addEventListener("pagehide", leave);
  addEventListener("pageshow", event => { if (event.persisted) listen(); });
  // What is exchanged between the two halves of a click is not clicked.
  addEventListener("pointerdown", () => { isPressed = true; });
  for (const end of ["pointerup", "pointercancel", "dragend"]) addEventListener(end, () => setTimeout(() => {
    isPressed = false;
    if (isWanted) refresh();
  }, 0));
  document.addEventListener("focusout", () => { if (isWanted) setTimeout(refresh, 500); });
  // Ages and countdowns move on though nothing has happened.
  setInterval(refresh, STALE_MS);
  dress();
  listen();
})();
