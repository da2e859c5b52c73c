// Keeps the page fresh: on word from the server the same address is fetched again, and its main part exchanged. What
// somebody is typing into, has opened or has focused stays as it is. Without scripts the page refreshes by itself.
"use strict";
(() => {
  const live = document.getElementById("live");
  let isBusy = false, isWanted = false;

  const isTouched = () => {
    const focused = document.activeElement;
    return (focused && focused.closest("main form")) || document.querySelector("main form details[open], main details.act[open]");
  };

  async function refresh() {
    if (isBusy || document.hidden || isTouched()) { isWanted = true; return; }
    isBusy = true; isWanted = false;
    try {
      const answer = await fetch(location.href, { headers: { "x-live": "1" }, credentials: "same-origin" });
      if (answer.redirected || answer.status === 401) { location.reload(); return; }
      if (!answer.ok) throw new Error(String(answer.status));
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      const from = next.getElementById("main"), to = document.getElementById("main");
      if (!from || !to || isTouched()) return;
      const open = new Set([...to.querySelectorAll("details[open][id]")].map(one => one.id));
      const focus = document.activeElement && document.activeElement.id;
      from.querySelectorAll("details[id]").forEach(one => { if (open.has(one.id)) one.open = true; });
      to.replaceChildren(...from.childNodes);
      if (focus && document.getElementById(focus)) document.getElementById(focus).focus({ preventScroll: true });
      const said = next.getElementById("live");
      if (said && live) live.innerHTML = said.innerHTML;
    } catch (error) {
      if (live) live.textContent = "Not up to date: the watcher does not answer";
    } finally {
      isBusy = false;
    }
  }

  const events = new EventSource("/events");
  events.addEventListener("changed", refresh);
  events.onerror = () => { if (live && events.readyState !== EventSource.OPEN) live.textContent = "Not live: trying to reach the watcher again"; };
  events.onopen = () => { if (live) refresh(); };
  document.addEventListener("visibilitychange", () => { if (!document.hidden && isWanted) refresh(); });
  document.addEventListener("focusout", () => { if (isWanted) setTimeout(refresh, 500); });
  // Ages and countdowns move on though nothing has happened.
  setInterval(refresh, 60000);
})();
