/** Live alerts: new ones come in at the top where that moves nothing that is being read, and wait to be asked for elsewhere. */

export const alertsScript = `
const body = document.getElementById("alerts");
const live = document.getElementById("live");
const fresh = document.getElementById("fresh");
const table = document.getElementById("alert-table");
const keep = 50;
let waiting = [];
let unseen = 0;
function show(alert) {
  const row = document.createElement("tr");
  row.className = "new";
  cell(row, "Time", alert.time, "tight");
  cell(row, "Action", "").append(badgeOf(alert.action));
  cell(row, "What happened", alert.sentence, "text");
  cell(row, "Message", alert.note, "name");
  body.prepend(row);
  while (body.rows.length > keep) body.deleteRow(-1);
}
function flush() {
  const none = document.getElementById("none");
  if (none) none.remove();
  table.hidden = false;
  for (const alert of waiting) show(alert);
  [waiting, unseen] = [[], 0];
  fresh.hidden = true;
}
// At the top of the page, or with the list below what is seen, a new row moves nothing.
function still() {
  const below = table.closest("section").getBoundingClientRect().top >= window.innerHeight;
  return (window.scrollY === 0 || below) && !marked(body);
}
function arrive(alert) {
  waiting.push(alert);
  if (waiting.length > keep) waiting.shift();
  unseen += 1;
  if (still()) flush();
  else { fresh.textContent = unseen + (unseen === 1 ? " new alert" : " new alerts"); fresh.hidden = false; }
}
fresh.addEventListener("click", () => {
  flush();
  const region = table.closest(".scroll");
  region.closest("section").scrollIntoView();
  region.focus({ preventScroll: true });
});
for (const event of ["scroll", "selectionchange"])
  document.addEventListener(event, () => { if (waiting.length > 0 && still()) flush(); }, { passive: true });
function state(text, tone) { live.textContent = text; live.className = "badge " + tone; }
const source = new EventSource("/v1/alerts/stream?as=sentence");
source.onopen = () => state("live", "good");
source.onerror = () => state("reconnecting", "warn");
source.onmessage = (event) => { try { arrive(JSON.parse(event.data)); } catch { state("unreadable alert", "bad"); } };
`;
