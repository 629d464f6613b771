// Everything here is a convenience: each page works without it. No HTML is ever built from text.
"use strict";
(() => {
  const root = document.documentElement;
  const base = document.body.dataset.base;
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const one = (selector, from = document) => from.querySelector(selector);
  const go = (path) => { location.href = base + path; };
  const number = (value) => value.toLocaleString("en-US");

  // ---- theme: system, light, dark, without a new page
  const themes = ["system", "light", "dark"];
  const themeForm = one("[data-theme-form]");
  if (themeForm) {
    themeForm.addEventListener("submit", (event) => {
      event.preventDefault();
      const button = one("button", themeForm);
      const theme = button.value;
      const next = themes[(themes.indexOf(theme) + 1) % themes.length];
      if (theme === "system") delete root.dataset.theme;
      else root.dataset.theme = theme;
      button.value = next;
      button.setAttribute("aria-label", `Theme: ${theme}, change to ${next}`);
      const body = new URLSearchParams({ theme, return_to: "/settings" });
      fetch(themeForm.action, { method: "POST", body, redirect: "manual" }).catch(() => {});
    });
  }

  // ---- time zone: what this browser believes
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
  const yes = one("[data-zone-yes]");
  if (yes && zone.includes("/")) {
    one("[data-zone-question]").textContent = `Is ${zone} your time zone?`;
    yes.value = zone;
    yes.textContent = "Yes";
  }
  const hint = one("[data-zone-hint]");
  if (hint && zone.includes("/")) hint.textContent = `This browser says ${zone}.`;

  // ---- copy what is shown once, or the field that the button names
  if (navigator.clipboard) all("[data-copy]").forEach((copy) => {
    copy.hidden = false;
    copy.addEventListener("click", async () => {
      const from = copy.dataset.copy ? document.getElementById(copy.dataset.copy) : one("[data-copy-from]");
      await navigator.clipboard.writeText(from.value);
      copy.textContent = "Copied";
    });
  });

  // ---- copy a whole sha
  if (navigator.clipboard) all("[data-sha]").forEach((link) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy ${link.textContent}`);
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(link.dataset.sha);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    link.after(button);
  });

  // ---- menus close when the attention leaves them
  const close = (except) => all("details.menu[open], .more details[open]").forEach((menu) => {
    if (menu !== except) menu.open = false;
  });
  document.addEventListener("click", (event) => close(event.target.closest("details")));

  // ---- choosing repositories: how many are ticked, and all of them at once
  const pick = one("[data-pick]");
  if (pick) {
    const boxes = all("input[name=repo]", pick);
    const every = one("[data-pick-every]", pick);
    const count = () => {
      const ticked = boxes.filter((box) => box.checked).length;
      all("[data-pick-count]", pick).forEach((part) => { part.textContent = `${ticked} ticked`; });
      if (every) { every.checked = ticked > 0 && ticked === boxes.length; every.indeterminate = ticked > 0 && !every.checked; }
    };
    const set = (ticked) => { boxes.forEach((box) => { box.checked = ticked; }); count(); };
    pick.addEventListener("change", (event) => { if (event.target === every) set(every.checked); else count(); });
    all("[data-pick-tools]", pick).forEach((tools) => { tools.hidden = false; });
    all("[data-pick-all]", pick).forEach((button) => button.addEventListener("click", () => set(button.dataset.pickAll === "yes")));
    if (every) count();
  }

  // ---- a row of tabs that is wider than a phone shows the one that is open
  all(".tabs, .seg.scroll").forEach((bar) => {
    const here = one("[aria-current]", bar);
    if (!here) return;
    const [outer, inner] = [bar, here].map((part) => part.getBoundingClientRect());
    bar.scrollLeft += inner.left - outer.left - (outer.width - inner.width) / 2;
  });

  // ---- keys
  const places = { d: "", r: "repos", p: "pulls", c: "commits", b: "branches", a: "activity", s: "sync" };
  let leader = 0;
  let row = -1;
  const rows = all("[data-rows] > li:not(.day-div), [data-rows] > tr");
  const select = (step) => {
    if (!rows.length) return;
    if (rows[row]) rows[row].classList.remove("on");
    row = Math.max(0, Math.min(rows.length - 1, row + step));
    rows[row].classList.add("on");
    const link = one("summary, a", rows[row]);
    if (link) link.focus({ preventScroll: true });
    rows[row].scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      close();
      if (event.target.matches("input[type=search]")) event.target.blur();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest("input, select, textarea, [contenteditable]")) return;
    if (Date.now() - leader < 1500) {
      leader = 0;
      if (event.key in places) go(places[event.key]);
      return;
    }
    if (event.key === "g") leader = Date.now();
    else if (event.key === "j") select(1);
    else if (event.key === "k") select(-1);
    else if (event.key === "?") go("shortcuts");
    else if (event.key === "/") {
      event.preventDefault();
      const field = one("#q");
      if (field.offsetParent) field.focus();
      else go("search");
    }
  });

  // ---- the calendar: one tab stop, arrows move by day and week, Enter opens the day
  const calendar = one(".heat .hm");
  if (calendar) {
    const cells = all("rect[data-d]", calendar);
    const ring = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const tip = document.createElement("span");
    const kind = new URLSearchParams(location.search).get("kind");
    const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
    let place = cells.length - 1;
    ring.setAttribute("class", "here");
    for (const [name, value] of [["width", 13], ["height", 13], ["rx", 3]]) ring.setAttribute(name, value);
    tip.className = "tip";
    tip.setAttribute("role", "status");
    tip.hidden = true;
    calendar.after(tip);
    calendar.setAttribute("tabindex", "0");
    calendar.setAttribute("role", "application");
    calendar.setAttribute("aria-roledescription", "calendar, arrow keys move by day and week");
    const say = (cell) => {
      const count = Number(cell.dataset.n);
      tip.textContent = `${count ? number(count) : "No"} contribution${count === 1 ? "" : "s"} on ${day.format(new Date(cell.dataset.d))}`;
      tip.hidden = false;
      const box = calendar.parentElement.getBoundingClientRect();
      const at = cell.getBoundingClientRect();
      const left = at.left - box.left + at.width / 2 - tip.offsetWidth / 2;
      // The policy forbids style attributes in markup; setting a property from here is allowed.
      tip.style.left = `${Math.max(0, Math.min(box.width - tip.offsetWidth, left))}px`;
      tip.style.top = `${at.top - box.top - 30}px`;
    };
    const stand = (next) => {
      place = Math.max(0, Math.min(cells.length - 1, next));
      ring.setAttribute("x", cells[place].getAttribute("x") - 1);
      ring.setAttribute("y", cells[place].getAttribute("y") - 1);
      calendar.append(ring);
      say(cells[place]);
    };
    const open = (cell) => go(`activity?day=${cell.dataset.d}${kind ? `&kind=${kind}` : ""}`);
    const leave = () => { ring.remove(); tip.hidden = true; };
    calendar.addEventListener("focus", () => { if (calendar.matches(":focus-visible")) stand(place); });
    calendar.addEventListener("blur", leave);
    calendar.addEventListener("mousemove", (event) => {
      if (event.target.dataset.d) say(event.target);
    });
    calendar.addEventListener("mouseleave", leave);
    calendar.addEventListener("click", (event) => { if (event.target.dataset.d) open(event.target); });
    calendar.addEventListener("keydown", (event) => {
      const steps = { ArrowUp: -1, ArrowDown: 1, ArrowLeft: -7, ArrowRight: 7, Home: -place, End: cells.length };
      if (event.key in steps) { event.preventDefault(); stand(place + steps[event.key]); }
      else if (event.key === "Enter") open(cells[place]);
      else if (event.key === "Escape") leave();
    });
  }

  // ---- progress as it happens
  const watched = one("[data-state]");
  if (watched && "EventSource" in window) {
    const source = new EventSource(`${base}sync/events`);
    const made = JSON.parse(watched.dataset.state);
    const show = (name, text) => all(`[data-live="${name}"]`).forEach((part) => { part.textContent = text; });
    source.addEventListener("message", (event) => {
      const state = JSON.parse(event.data);
      show("read", number(state.read));
      show("commits", number(state.commits));
      show("pulls", number(state.pulls));
      show("left", state.left && ` · ${state.left}`);
      all('[data-live="bar"]').forEach((bar) => { bar.max = state.followed || 1; bar.value = state.read; });
      if (state.running) show("state", "Syncing now");
      if (Object.keys(made).some((name) => state[name] !== made[name])) {
        source.close();
        location.reload();
      }
    });
    addEventListener("pagehide", () => source.close());
  }
})();
