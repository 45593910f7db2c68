"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  const stage = find("stage"), before = find("before"), after = find("after"), wiper = find("wiper");
  const isFilm = (side) => side instanceof HTMLVideoElement;
  const speed = Number(stage.dataset.speed || 1), offset = Number(stage.dataset.offset || 0);
  const frame = 1 / (Number(stage.dataset.fps) || 25);
  const broken = new Set();

  // The wipe.
  const wipe = (percent) => {
    const at = Math.min(100, Math.max(0, percent));
    wiper.value = at;
    stage.style.setProperty("--wipe", `${at}%`);
    wiper.setAttribute("aria-valuetext", `${Math.round(at)} % source, ${Math.round(100 - at)} % result`);
  };
  const choices = [...document.querySelectorAll("input[name=mode]")];
  const show = (mode) => {
    stage.dataset.mode = mode;
    for (const choice of choices) choice.checked = choice.value === mode;
  };
  wiper.addEventListener("input", () => wipe(Number(wiper.value)));
  for (const choice of choices) choice.addEventListener("change", () => show(choice.value));
  wipe(50);
  show("wipe");
  find("keys").hidden = false;

  // A film that can't be shown gives way to its still.
  const giveUp = (side) => {
    if (!side || broken.has(side)) return;
    broken.add(side);
    const still = side.parentElement.querySelector(".still");
    side.hidden = true;
    if (still) still.hidden = false;
    const told = document.createElement("p");
    const codec = side.dataset.codec ? ` (${side.dataset.codec})` : "";
    told.textContent = `${side.dataset.name}${codec} can't be shown here: it was moved, or this browser doesn't play it. ` +
      (still ? "A still stands in for it." : "");
    find("trouble").append(told);
    find("trouble").hidden = false;
    if (side === after && isFilm(after)) {
      find("controls").hidden = true;
      for (const cell of document.querySelectorAll("#strip button")) cell.disabled = true;
    }
  };
  for (const side of [before, after]) {
    if (!side) continue;
    side.addEventListener("error", () => giveUp(side));
    if (isFilm(side)) {
      side.addEventListener("loadedmetadata", () => { if (!side.videoWidth) giveUp(side); });
      if (side.error) giveUp(side);
    } else if (side.complete && !side.naturalWidth) {
      giveUp(side);
    }
  }

  // Both films, played in step: the result leads, the source follows.
  const where = () => {
    const end = isFilm(before) && Number.isFinite(before.duration) ? before.duration - 0.001 : Infinity;
    return Math.min(Math.max(0, offset + after.currentTime * speed), end);
  };
  const follows = () => isFilm(before) && !broken.has(before) && before.readyState >= 1;
  const fall = () => { if (follows()) before.currentTime = where(); };
  const put = (seconds) => {
    after.currentTime = Math.min(Math.max(0, seconds), after.duration || 0);
    tell();
  };
  const clock = (seconds) => {
    const whole = Math.floor(seconds), minutes = Math.floor(whole / 60) % 60, hours = Math.floor(whole / 3600);
    const rest = String(whole % 60).padStart(2, "0"), tenth = Math.floor((seconds - whole) * 10 + 1e-6);
    return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}.${tenth}`;
  };
  const cells = [...document.querySelectorAll("#strip button")];
  const tell = () => {
    const length = after.duration || 0, now = after.currentTime, seek = find("seek");
    seek.max = length;
    seek.value = now;
    seek.style.setProperty("--gone", `${length ? (100 * now) / length : 0}%`);
    seek.setAttribute("aria-valuetext", `${clock(now)} of ${clock(length)}`);
    find("clock").textContent = `${clock(now)} / ${clock(length)}`;
    const near = Math.min(cells.length - 1, Math.floor((now / (length || 1)) * cells.length));
    cells.forEach((cell, index) => {
      if (index === near) cell.setAttribute("aria-current", "true"); else cell.removeAttribute("aria-current");
    });
  };
  const wanted = () => Number(find("speed").value);
  const keep = () => {
    if (after.paused) return;
    if (follows()) {
      const drift = before.currentTime - where();
      const pace = Math.min(16, Math.max(0.0625, wanted() * speed));
      if (Math.abs(drift) > 0.3) fall();
      else before.playbackRate = Math.abs(drift) < 0.015 ? pace : Math.max(0.0625, pace * (1 - drift));
      if (before.paused && !before.ended) before.play().catch(() => {});
    }
    tell();
    requestAnimationFrame(keep);
  };
  const toggle = () => (after.paused ? after.play().catch(() => giveUp(after)) : after.pause());
  const press = (button, on) => button.setAttribute("aria-pressed", String(on));
  const drawn = { true: "M8 5v14l11-7z", false: "M6 5h4v14H6zM14 5h4v14h-4z" };

  const start = () => {
    for (const side of [before, after]) if (isFilm(side)) side.controls = false;
    find("controls").hidden = false;
    for (const cell of cells) {
      cell.disabled = false;
      cell.addEventListener("click", () => put(Number(cell.dataset.at)));
    }
    after.loop = true;
    after.addEventListener("play", () => {
      find("play").setAttribute("aria-label", "Pause");
      find("play").querySelector("path").setAttribute("d", drawn.false);
      requestAnimationFrame(keep);
    });
    after.addEventListener("pause", () => {
      find("play").setAttribute("aria-label", "Play");
      find("play").querySelector("path").setAttribute("d", drawn.true);
      if (isFilm(before)) before.pause();
      fall();
      tell();
    });
    after.addEventListener("seeking", fall);
    after.addEventListener("seeked", () => { if (after.paused) fall(); });
    for (const event of ["loadedmetadata", "durationchange", "timeupdate"]) after.addEventListener(event, tell);
    if (isFilm(before)) before.addEventListener("loadedmetadata", fall);
    find("play").addEventListener("click", toggle);
    find("seek").addEventListener("input", () => put(Number(find("seek").value)));
    find("back").addEventListener("click", () => { after.pause(); put(after.currentTime - frame); });
    find("on").addEventListener("click", () => { after.pause(); put(after.currentTime + frame); });
    find("speed").addEventListener("change", () => { after.playbackRate = wanted(); });
    find("loop").addEventListener("click", () => { after.loop = !after.loop; press(find("loop"), after.loop); });
    find("sound").addEventListener("click", () => { after.muted = !after.muted; press(find("sound"), !after.muted); });
    const full = find("full");
    full.hidden = !document.fullscreenEnabled;
    full.addEventListener("click", () =>
      document.fullscreenElement ? document.exitFullscreen() : find("viewer").requestFullscreen());
    fall();
    tell();
  };
  if (isFilm(after) && !broken.has(after)) start();
  else if (isFilm(before)) {
    // A picture out of a film: the film stands at that moment.
    const stand = () => { before.currentTime = offset; };
    before.addEventListener("loadedmetadata", stand);
    if (before.readyState >= 1) stand();
  }

  document.addEventListener("keydown", (event) => {
    const target = event.target, kind = target.tagName;
    if (event.ctrlKey || event.metaKey || event.altKey || kind === "SELECT" || kind === "TEXTAREA") return;
    const isRange = target.type === "range", key = event.key.toLowerCase();
    const act = {
      w: () => show(stage.dataset.mode === "wipe" ? "beside" : "wipe"),
      "[": () => wipe(Number(wiper.value) - 5), "]": () => wipe(Number(wiper.value) + 5),
    };
    if (isFilm(after) && !broken.has(after)) {
      Object.assign(act, { m: () => find("sound").click(), ",": () => find("back").click(), ".": () => find("on").click() });
      if (kind !== "BUTTON" && kind !== "SUMMARY" && kind !== "A" && kind !== "VIDEO" && target.type !== "radio") act[" "] = toggle;
      if (!isRange && target.type !== "radio" && kind !== "PRE" && kind !== "VIDEO") {
        act.arrowleft = () => put(after.currentTime - 1);
        act.arrowright = () => put(after.currentTime + 1);
      }
    }
    if (!act[key]) return;
    event.preventDefault();
    act[key]();
  });
})();
