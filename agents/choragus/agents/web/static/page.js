// The page works without this. With it: news without a reload, keys, and a mark on what was changed.
"use strict";

const body = document.body;
const byId = (id) => document.getElementById(id);
const isTyping = (one) => one && one.matches("input:not([type=radio]):not([type=submit]), textarea, select");

// News: something was entered in the logbook, so the page is asked for again, and its live parts are replaced.

const live = byId("live");
const news = byId("news");
let wanted = false;
let loading = false;
let timer = null;
let due = 0;
let earliest = 0;
let pause = null;

function tell(text) {
  news.textContent = text;
  clearTimeout(pause);
  if (text) pause = setTimeout(() => { news.textContent = ""; }, 4000);
}

// A part in which somebody has typed is left alone: nobody's words are lost, nor what they were about to decide on.
function isInUse(part) {
  if (part.matches("[data-typed]") || part.querySelector("[data-typed]")) return true;  // it was refused, and stands again
  if (isTyping(document.activeElement) && part.contains(document.activeElement)) return true;
  return [...part.querySelectorAll("input, textarea, select")].some((one) => {
    if (one.type === "hidden" || one.dataset.filled === one.value) return false;
    if (one.type === "radio" || one.type === "checkbox") return one.checked !== one.defaultChecked;
    if (one.tagName === "SELECT") return [...one.options].some((each) => each.selected !== each.defaultSelected);
    return one.value !== one.defaultValue;
  });
}

// Cards are replaced one by one, so that the others go on while somebody works on one.
function merge(part, fresh) {
  for (const card of part.querySelectorAll("article[id]")) {
    const other = fresh.querySelector(`#${CSS.escape(card.id)}`);
    if (!isInUse(card)) {
      if (other) card.replaceWith(document.importNode(other, true)); else card.remove();
    } else if (!other || hash(other) !== hash(card)) {
      card.classList.add("is-over");
      tell("What you are working on does not wait any more, or is another by now");
    }
  }
  for (const other of fresh.querySelectorAll("article[id]")) {
    if (!byId(other.id)) part.append(document.importNode(other, true));
  }
}

const hash = (card) => (card.querySelector("input[name=hash], input[name=attempt]") || {}).value;

function replace(part, fresh) {
  if (part.outerHTML === fresh.outerHTML) return;
  if (isInUse(part)) { merge(part, fresh); return; }
  const open = new Map([...part.querySelectorAll("details[id]")].map((one) => [one.id, one.open]));
  const focus = part.contains(document.activeElement) ? place(document.activeElement) : null;
  const there = new Set([...part.querySelectorAll("[id]")].map((one) => one.id));
  const node = document.importNode(fresh, true);
  for (const one of node.querySelectorAll("details[id]")) if (open.has(one.id)) one.open = open.get(one.id);
  for (const one of node.querySelectorAll("tr[id], li > details[id], article[id]")) {
    if (!there.has(one.id)) one.classList.add("is-fresh");
  }
  part.replaceWith(node);
  if (focus) focus();
}

// How to find an element again in what replaces it.
function place(one) {
  const holder = one.closest("[id]");
  if (!holder) return null;
  const inside = one === holder ? -1 : [...holder.querySelectorAll("a, summary, button, pre")].indexOf(one);
  return () => {
    const again = byId(holder.id);
    const target = again && inside >= 0 ? again.querySelectorAll("a, summary, button, pre")[inside] : again;
    if (target) target.focus({ preventScroll: true });
  };
}

// It is asked for at most every half second, and for a tenth of the time: who looks must not slow down who works.
function want(delay) {
  if (!document.querySelector("[data-live]")) return;
  if (document.hidden || loading) { wanted = true; return; }
  const at = Math.max(Date.now() + delay, earliest);
  if (timer && due <= at) return;
  clearTimeout(timer);
  due = at;
  timer = setTimeout(refresh, at - Date.now());
}

async function refresh() {
  timer = null;
  wanted = false;
  loading = true;
  const begun = Date.now();
  try {
    const address = new URL(location.href);
    for (const name of ["told", "about"]) address.searchParams.delete(name);
    const answer = await fetch(address, { credentials: "same-origin", headers: { accept: "text/html" } });
    if (answer.status === 401 || answer.status === 403) tell("You are not let in any more: open this page again");
    if (answer.ok) show(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch { /* the service is away; the stream of news says so */ }
  loading = false;
  earliest = Date.now() + Math.max(500, 9 * (Date.now() - begun));
  if (wanted) want(0);
}

// Whether a run is on this page: the one that it is about, or one of its tree. Others only change what waits.
function concerns(run) {
  return run === body.dataset.run || Boolean(document.querySelector(`#tree a[href$="/run/${CSS.escape(run)}"]`));
}

function show(fresh) {
  const before = spoken();
  const isPage = Boolean(fresh.body.dataset.events);  // and no form of the service's own to sign in by
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(part.id);
    if (other) replace(part, other); else if (isPage && !isInUse(part)) part.remove();
  }
  for (const other of fresh.querySelectorAll("[data-live]")) if (!byId(other.id)) insert(other, fresh);
  const count = fresh.getElementById("nav-waiting");
  if (count && byId("nav-waiting").innerHTML !== count.innerHTML) byId("nav-waiting").innerHTML = count.innerHTML;
  prepare();
  renew(fresh);
  const after = spoken();
  if (after !== before) tell(after);
}

// A card that somebody works on stands as it did, and is sent with what the service takes now: it may have been restarted.
function renew(fresh) {
  const given = fresh.querySelector("input[name=csrf]");
  if (given) for (const one of document.querySelectorAll("input[name=csrf]")) one.value = given.value;
}

// What is worth being read out: the state of the run that is looked at, and how much waits for a person.
function spoken() {
  const state = document.querySelector("#run .status");
  const count = document.querySelector("#nav-waiting .count");
  const told = state ? `This run: ${state.textContent.slice(1)}. ` : "";
  return `${told}${count ? count.textContent : "Nothing"} waiting for a person`;
}

// A part that was not there before, behind the one that it stands behind in the new page.
function insert(other, fresh) {
  let before = other.previousElementSibling;
  while (before && !(before.id && byId(before.id))) before = before.previousElementSibling;
  const node = document.importNode(other, true);
  if (before) byId(before.id).after(node);
  else document.querySelector("main .page").prepend(node);
}

function listen() {
  let source = null;
  let lost = false;
  let again = null;
  const open = () => {
    source = new EventSource(body.dataset.events);
    source.onopen = () => {
      live.textContent = "live";
      live.classList.add("is-on");
      if (lost) want(0);
      lost = false;
    };
    source.onmessage = (event) => {
      const told = JSON.parse(event.data);
      const run = body.dataset.run;
      body.dataset.events = body.dataset.events.replace(/after=\d+/, `after=${told.seq}`);
      want(told.all || !run || told.runs.some(concerns) ? 0 : 5000);
    };
    source.onerror = () => {
      lost = true;
      live.textContent = "not live";
      live.classList.remove("is-on");
      if (source.readyState !== EventSource.CLOSED) return;
      want(0);  // which says it, when nobody is let in any more
      clearTimeout(again);
      again = setTimeout(open, 5000);
    };
  };
  open();
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => { if (event.persisted) { unsend(); open(); want(0); } });
  addEventListener("visibilitychange", () => { if (!document.hidden && wanted) want(0); });
}

// Keys.

const rows = () => [...document.querySelectorAll("a.row, .entries summary")].filter((one) => one.offsetParent);

function move(step) {
  const all = rows();
  if (!all.length) return;
  const here = all.indexOf(document.activeElement);
  const next = all[Math.max(0, Math.min(all.length - 1, here < 0 ? (step > 0 ? 0 : all.length - 1) : here + step))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

function search() {
  const field = byId("search");
  if (field) { field.focus(); field.select(); } else location.href = `${body.dataset.root}/?search`;
}

function unfold() {
  const all = [...document.querySelectorAll(".entries details")];
  const open = all.some((one) => !one.open);
  for (const one of all) one.open = open;
}

function go(number) {
  const link = document.querySelectorAll("header nav a")[number - 1];
  if (link) link.click();
}

const keys = { "/": search, j: () => move(1), k: () => move(-1), e: unfold, "?": () => byId("help").showModal() };
for (const number of [1, 2, 3, 4, 5]) keys[number] = () => go(number);

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  if (event.key === "Escape" && isTyping(event.target)) { event.target.blur(); return; }
  if (isTyping(event.target) || !keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});

// Forms: the name of who decides is kept in this browser, what was changed is marked, and nothing is sent twice.

function prepare() {
  for (const one of document.querySelectorAll("input.by")) {
    if (!one.value && one !== document.activeElement) {
      one.value = localStorage.getItem("choragus.by") || "";
      one.dataset.filled = one.value;
    }
  }
}

addEventListener("input", (event) => {
  const one = event.target;
  if (one.matches(".arguments textarea")) one.classList.toggle("changed", one.value !== one.defaultValue);
});

addEventListener("submit", (event) => {
  const form = event.target;
  const by = form.querySelector("input.by");
  if (by && by.value) localStorage.setItem("choragus.by", by.value);
  if (form.method !== "post") return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "1";
});

// Who comes back to a page that was left may send its forms again.
function unsend() {
  for (const form of document.forms) delete form.dataset.sent;
}

// Where a link leads to an entry, that entry is open.
function unfoldTarget() {
  const one = location.hash && byId(location.hash.slice(1));
  if (one && one.tagName === "DETAILS") { one.open = true; one.scrollIntoView({ block: "center" }); }
}

addEventListener("hashchange", unfoldTarget);
byId("keys").hidden = false;
byId("keys").addEventListener("click", () => byId("help").showModal());
prepare();
unfoldTarget();
if (location.search === "?search") search();
listen();
