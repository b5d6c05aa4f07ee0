// Shows changes as they happen, also those of other windows. The page works without this script.
"use strict";

(() => {
  const SHORTEST_PAUSE = 500; // milliseconds between two connections
  const LONGEST_PAUSE = 30_000;
  const SESSION_ENDED = 1008;
  let lastEventId = "";
  let pause = SHORTEST_PAUSE;
  let loading = false;
  let outdated = false;

  // Put each part of a newer page in the place of the old one, and keep the focus.
  const show = (page) => {
    for (const old of document.querySelectorAll("[data-live]")) {
      const fresh = page.querySelector(`[data-live="${old.dataset.live}"]`);
      if (!fresh || fresh.outerHTML === old.outerHTML) continue;
      const focused = old.contains(document.activeElement) && document.activeElement;
      old.replaceWith(document.adoptNode(fresh));
      const name = focused && (focused.getAttribute("aria-label") ?? focused.textContent);
      const same = (each) => (each.getAttribute("aria-label") ?? each.textContent) === name;
      if (focused) [...fresh.querySelectorAll("a, button")].find(same)?.focus();
    }
  };

  // Load the page again: once for all changes that come meanwhile.
  const load = async () => {
    outdated = true;
    if (loading) return;
    loading = true;
    try {
      while (outdated) {
        outdated = false;
        const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
        if (answer.redirected) location.reload(); // to the login
        if (!answer.ok) throw new Error(answer.statusText);
        show(new DOMParser().parseFromString(await answer.text(), "text/html"));
      }
    } catch {
      setTimeout(load, 2 * SHORTEST_PAUSE);
    }
    loading = false;
  };

  const connect = () => {
    const url = new URL("/live", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    url.searchParams.set("last_event_id", lastEventId);
    const socket = new WebSocket(url);
    // The first event says that the server tells each change from now on.
    socket.onmessage = ({ data }) => {
      lastEventId = JSON.parse(data).event_id;
      pause = SHORTEST_PAUSE;
      load();
    };
    socket.onclose = ({ code }) => {
      if (code === SESSION_ENDED) {
        location.reload();
      } else {
        setTimeout(connect, pause * (0.5 + Math.random()));
        pause = Math.min(2 * pause, LONGEST_PAUSE);
      }
    };
  };

  connect();
})();
