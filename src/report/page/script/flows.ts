/** The flows that were seen: read when the reader opens them, then searched, filtered and grouped here. */

export const flowsScript = `
const flows = document.getElementById("flows");
if (flows !== null) {
  const part = (name) => document.getElementById("flows-" + name);
  const [rows, head, said, more, renewed] = ["rows", "head", "said", "more", "renewed"].map(part);
  const [search, verdict, group, order, onlyNew] = ["search", "verdict", "group", "order", "new"].map(part);
  const step = 200;
  const everyMs = 15000;
  const most = 10000;
  const columns = ["Flow", "Verdict", "Policy", "Count", "Bytes", "Last seen"];
  const grouped = ["Group", "Verdicts", "Flows", "Count", "Bytes", "Last seen"];
  let known = { flows: [], merged: 0, lost: 0, since: "" };
  let next = null;
  let told = "";
  let result = [];
  let drawn = 0;
  const keyOf = (flow) => [flow.direction, flow.hook, flow.protocol, flow.remote, flow.port, flow.interface, flow.guest, flow.action, flow.policy].join(" ");
  const number = (value) => Number(value).toLocaleString("en-US");
  const time = (text) => String(text).slice(0, 19).replace("T", " ");
  const service = (flow) => flow.protocol + (flow.port === null ? "" : " " + flow.port);
  function sentence(flow) {
    const here = flow.guest === null ? "this host" : "guest " + flow.guest;
    const place = " on " + flow.interface;
    return flow.direction === "ingress"
      ? flow.remote + " → " + service(flow) + (flow.guest === null ? "" : " of " + here) + place
      : here + " → " + service(flow) + " of " + flow.remote + place;
  }
  function prefix(remote) {
    if (remote.includes("/")) return remote;
    if (!remote.includes(":")) return remote.split(".").slice(0, 3).join(".") + ".0/24";
    const [left, right] = remote.split("::").map((side) => (side === "" ? [] : side.split(":")));
    const filled = right === undefined ? left : [...left, ...Array(Math.max(0, 8 - left.length - right.length)).fill("0"), ...right];
    return filled.slice(0, 4).join(":") + "::/64";
  }
  const groupOf = {
    remote: (flow) => flow.remote,
    port: (flow) => flow.direction + " " + service(flow),
    policy: (flow) => flow.policy ?? "unknown",
    prefix: (flow) => prefix(flow.remote),
  };
  const orders = {
    last: (a, b) => (a.lastSeen < b.lastSeen ? 1 : a.lastSeen > b.lastSeen ? -1 : 0),
    count: (a, b) => b.count - a.count,
    bytes: (a, b) => (b.bytes ?? -1) - (a.bytes ?? -1),
    name: (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  };
  function wanted() {
    const words = search.value.toLowerCase().split(" ").filter((word) => word !== "");
    return known.flows.filter((flow) => (verdict.value === "" || flow.action === verdict.value)
      && (!onlyNew.checked || flow.new) && words.every((word) => flow.text.includes(word)));
  }
  function sums(all, of) {
    const found = new Map();
    for (const flow of all) {
      const name = of(flow);
      const sum = found.get(name);
      if (sum === undefined) found.set(name, { name, group: true, flows: 1, count: flow.count, bytes: flow.bytes, lastSeen: flow.lastSeen, actions: new Set([flow.action]), new: flow.new });
      else {
        sum.flows += 1;
        sum.count += flow.count;
        if (flow.bytes !== null) sum.bytes = (sum.bytes ?? 0) + flow.bytes;
        if (flow.lastSeen > sum.lastSeen) sum.lastSeen = flow.lastSeen;
        sum.actions.add(flow.action);
        sum.new ||= flow.new;
      }
    }
    return [...found.values()];
  }
  function rowOf(one) {
    const row = document.createElement("tr");
    const labels = one.group ? grouped : columns;
    const name = cell(row, labels[0], one.name, "name");
    if (one.new) { const word = document.createElement("span"); word.className = "badge warn"; word.textContent = "new"; name.append(" ", word); }
    const verdicts = cell(row, labels[1], "");
    for (const action of one.group ? one.actions : [one.action]) verdicts.append(badgeOf(action), " ");
    if (one.group) cell(row, labels[2], number(one.flows), "number"); else cell(row, labels[2], one.policy ?? "unknown", "name");
    cell(row, labels[3], number(one.count), "number");
    cell(row, labels[4], one.bytes === null ? "–" : number(one.bytes), "number");
    cell(row, labels[5], time(one.lastSeen), "tight");
    return row;
  }
  function draw() {
    const part = document.createDocumentFragment();
    for (const one of result.slice(drawn, drawn + step)) part.append(rowOf(one));
    rows.append(part);
    drawn = Math.min(result.length, drawn + step);
    more.hidden = drawn >= result.length;
    more.textContent = "Show more (" + number(result.length - drawn) + " left)";
  }
  function find() {
    const all = wanted();
    const of = groupOf[group.value];
    result = (of === undefined ? all : sums(all, of)).sort(orders[order.value] ?? orders.last);
    const labels = of === undefined ? columns : grouped;
    head.replaceChildren(...labels.map((label, place) => {
      const th = document.createElement("th");
      th.textContent = label;
      if (place > 2 && place < 5) th.className = "number";
      return th;
    }));
    drawn = 0;
    rows.replaceChildren();
    draw();
    const groups = of === undefined ? "" : " in " + number(result.length) + " groups";
    told = number(all.length) + " of " + number(known.flows.length) + " flows" + groups + " since " + time(known.since)
      + (known.merged > 0 ? "; " + number(known.merged) + " merged into blocks of addresses" : "")
      + (known.lost > 0 ? "; " + number(known.lost) + " lost" : "")
      + (known.flows.length >= most ? "; only the " + number(most) + " seen last are here, portward flows has all" : "");
    said.textContent = told;
  }
  function take(fresh) {
    known = fresh;
    next = null;
    renewed.hidden = true;
    find();
  }
  async function read() {
    const answer = await fetch("/v1/flows?limit=" + most);
    const text = await answer.text();
    if (!answer.ok) throw new Error(answer.headers.get("content-type")?.includes("json") ? JSON.parse(text).error : "HTTP " + answer.status);
    const fresh = JSON.parse(text);
    for (const flow of fresh.flows) {
      flow.name = sentence(flow);
      flow.key = keyOf(flow);
      flow.text = plain(flow.name + " " + flow.direction + " " + flow.action + " " + (flow.policy ?? "unknown")).toLowerCase();
    }
    return { ...fresh, digest: text };
  }
  async function ask() {
    try {
      const fresh = await read();
      // That they could not be read is said no longer.
      if (said.textContent !== told) said.textContent = told;
      if (known.digest === undefined) take(fresh);
      else if (fresh.digest !== known.digest) {
        const before = new Set(known.flows.map((flow) => flow.key));
        const count = fresh.flows.filter((flow) => !before.has(flow.key)).length;
        next = fresh;
        renewed.textContent = count === 0 ? "Show newer counts" : "Show " + number(count) + " new";
        renewed.hidden = false;
      }
    } catch (error) {
      said.textContent = "The flows cannot be read: " + plain(error instanceof Error ? error.message : error);
    }
  }
  flows.addEventListener("toggle", () => { if (flows.open) void ask(); });
  setInterval(() => { if (flows.open && !document.hidden) void ask(); }, everyMs);
  for (const control of [search, verdict, group, order, onlyNew]) control.addEventListener("input", find);
  more.addEventListener("click", draw);
  renewed.addEventListener("click", () => { if (next !== null) take(next); search.focus({ preventScroll: true }); });
}
`;
