const S = DATA.statistics;
const AT = Object.fromEntries(DATA.columns.map((name, place) => [name, place]));
const rows = DATA.rows;
const get = (row, name) => row[AT[name]];
const causeName = (cause) => DATA.cause_names[cause] ?? cause;

function figures() {
  const shown = [
    ["Sum of results", change(S.sum_net_percent), `of one position's value; ${signed(S.net)} in quote currency`, S.sum_net_percent],
    ["A position", change(S.mean_net_percent), `median ${change(S.median_net_percent)}`, S.mean_net_percent],
    ["Positions", number(S.trades, 0), `${percent(S.win_percent)} earned (${S.wins}), ${percent(S.even_percent)} came out even (${S.evens})`],
    ["Profit factor", number(S.profit_factor), `wins ${change(S.mean_win_percent)}, losses ${change(S.mean_loss_percent)}`],
    ["Best and worst", change(S.best_net_percent), `worst ${change(S.worst_net_percent)}`],
    ["Deepest fall", percent(S.max_drawdown_percent), `longest under water ${span(S.longest_under_water_ms)}`],
    ["Left on the table", percent(S.mean_left_percent), `median ${percent(S.median_left_percent)}; ${number(S.left)} in all`],
    ["Kept of best gains", percent(S.kept_percent), `${percent(S.activated_percent)} began to trail`],
    ["Time at risk", span(S.mean_at_risk_ms), `${percent(S.at_risk_percent)} of the time open; ${span(S.sum_at_risk_ms)} in all`],
    ["Held for", span(S.mean_held_ms), `median ${span(S.median_held_ms)}`],
    ["Moves a position", number(S.mean_moves), `${number(S.moves, 0)} in all, at most ${S.most_moves}`],
    ["Left before the stop rested", percent(S.crossed_percent), `${S.crossed} positions; ${S.alarmed} alarmed`],
    ["Fees and funding", number(S.fees), `funding ${number(S.funding)}, quote currency`],
    ["First entry to last exit", span(S.last_ms === null ? null : S.last_ms - S.first_ms), `${moment(S.first_ms)} to ${moment(S.last_ms)}`],
  ];
  document.getElementById("figures").append(...shown.map(([name, value, more, sign]) =>
    element("div", { class: "figure" },
      element("div", { class: "name", text: name }),
      element("div", { class: `value ${sign === undefined ? "" : tone(sign)}`, text: value }),
      element("div", { class: "more", text: more }))));
}

function groups(title, list, name) {
  const head = [[title, "text"], ["positions", ""], ["share", ""], ["earned", "wide"], ["even", "wide"], ["mean", ""], ["sum", ""]];
  return element("table", {},
    element("thead", {}, element("tr", {}, ...head.map(([text, kind]) => element("th", { text, class: kind })))),
    element("tbody", {}, ...list.map((group) => element("tr", {},
      element("td", { class: "text", text: name(group.name) + (group.crossed ? ` (${group.crossed} crossed)` : "") }),
      element("td", { text: number(group.trades, 0) }),
      element("td", {}, percent(group.share_percent), element("span", { class: "bar", style: `width:${group.share_percent / 100 * 3}rem` })),
      element("td", { class: "wide", text: percent(group.win_percent) }),
      element("td", { class: "wide", text: percent(group.even_percent) }),
      element("td", { class: tone(group.mean_net_percent), text: change(group.mean_net_percent) }),
      element("td", { class: tone(group.sum_net_percent), text: change(group.sum_net_percent) })))));
}

function causes() {
  const target = document.getElementById("causes");
  if (!rows.length) { target.append(element("p", { class: "note", text: "No position was opened." })); return; }
  target.className = "scroll";
  target.append(groups("ended by", S.causes, causeName));
  if (S.sides.length > 1) target.append(groups("side", S.sides, (name) => name));
}

function equity() {
  if (!rows.length) { document.getElementById("equity").remove(); return; }
  draw("equity", () => {
    const times = [S.first_ms, ...DATA.equity.map((point) => point[0])].map(instant);
    const sum = [0, ...DATA.equity.map((point) => point[1])], under = [0, ...DATA.equity.map((point) => point[2])];
    return {
      traces: [
        { x: times, y: sum, mode: "lines", line: { color: colour("accent"), width: 1.6, shape: "hv" }, name: "sum",
          hovertemplate: "%{x}<br>sum %{y:.2f} %<extra></extra>" },
        { x: times, y: under, mode: "lines", line: { color: colour("loss"), width: 1, shape: "hv" }, fill: "tozeroy", yaxis: "y2",
          name: "under water", hovertemplate: "%{x}<br>%{y:.2f} % under water<extra></extra>" },
      ],
      shape: {
        xaxis: { anchor: "y2", type: "date" },
        yaxis: { domain: [0.32, 1], ticksuffix: " %", title: { text: "sum of results" } },
        yaxis2: { domain: [0, 0.26], ticksuffix: " %", gridcolor: colour("line"), title: { text: "under water" }, automargin: true },
      },
    };
  });
}

const FEW = 10;
function spread() {
  if (!rows.length) { document.getElementById("spread").remove(); return; }
  const nets = rows.map((row) => get(row, "net_percent"));
  const zero = nets.some((net) => net >= 0) && nets.some((net) => net <= 0);
  draw("spread", () => ({
    traces: [{ x: nets, type: "histogram", nbinsx: 60, marker: { color: colour("accent") },
      hovertemplate: "%{x} %: %{y} positions<extra></extra>" }],
    shape: { xaxis: { ticksuffix: " %", title: { text: "result after costs" } }, yaxis: { title: { text: "positions" }, ...(rows.length <= FEW ? { dtick: 1 } : {}) }, bargap: 0.05,
      shapes: !zero ? [] : [{ type: "line", x0: 0, x1: 0, yref: "paper", y0: 0, y1: 1, line: { color: colour("quiet"), dash: "dot", width: 1 } }] },
  }));
}

function wrapped(text, width = 60) {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").split(" ").reduce((lines, word) => {
    const last = lines[lines.length - 1];
    if (last && last.length + word.length < width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
    return lines;
  }, []).join("<br>");
}

function tradeTraces(row, path) {
  const traces = [], p = path.prices, entry = get(row, "entry_ms"), exit = get(row, "exit_ms");
  if (p) {
    const at = p.after_ms.map((ms) => instant(p.start_ms + ms)), unit = Number(p.unit);
    const places = (p.unit.split(".")[1] ?? "").length;
    const put = (list) => list.map((value) => Number(((p.base + value) * unit).toFixed(places)));
    const quiet = { line: { color: colour("price"), width: 1 } };
    traces.push({ type: "candlestick", x: at, open: put(p.open), high: put(p.high), low: put(p.low), close: put(p.close), name: "price",
      increasing: { ...quiet, fillcolor: colour("paper") }, decreasing: { ...quiet, fillcolor: colour("price") }, whiskerwidth: 0 });
  }
  if (path.moves.length) {
    const stops = path.moves, last = stops[stops.length - 1];
    traces.push({ x: [...stops.map((m) => instant(m[0])), instant(exit)], y: [...stops.map((m) => Number(m[1])), Number(last[1])],
      mode: "lines", line: { shape: "hv", color: colour("stop"), width: 2 }, name: "stop", hoverinfo: "skip" });
    traces.push({ x: stops.map((m) => instant(m[0])), y: stops.map((m) => Number(m[1])), mode: "markers", name: "move",
      marker: { color: colour("stop"), size: 7 },
      text: stops.map((m) => `stop ${price(m[1])}<br>${moment(m[0])}<br>${wrapped(m[3])}`), hovertemplate: "%{text}<extra></extra>" });
  }
  const mark = (ms, at, text, symbol, kind) => traces.push({ x: [instant(ms)], y: [Number(at)], mode: "markers", name: text,
    marker: { symbol, size: 13, color: colour(kind), line: { color: colour("paper"), width: 1 } },
    hovertemplate: `${text} ${price(at)}<br>${moment(ms)}<extra></extra>` });
  const long = get(row, "side") === "long";
  mark(entry, get(row, "entry_price"), "entry", long ? "triangle-up" : "triangle-down", "accent");
  mark(exit, get(row, "exit_price"), `exit: ${causeName(get(row, "cause"))}`, "x", get(row, "net_percent") > 0 ? "gain" : "loss");
  return traces;
}

// A few candles are not drawn as wide as the whole picture.
const CANDLES_LEAST = 12;
function roomFor(prices) {
  const count = prices ? prices.after_ms[prices.after_ms.length - 1] / prices.each_ms + 1 : CANDLES_LEAST;
  if (count >= CANDLES_LEAST) return {};
  const middle = prices.start_ms + (count - 1) * prices.each_ms / 2, reach = CANDLES_LEAST * prices.each_ms / 2;
  return { range: [instant(middle - reach), instant(middle + reach)] };
}

function tradeShapes(row) {
  const lines = [], notes = [];
  const upright = (ms, text) => {
    lines.push({ type: "line", x0: instant(ms), x1: instant(ms), yref: "paper", y0: 0, y1: 1, line: { color: colour("quiet"), dash: "dot", width: 1 } });
    notes.push({ x: instant(ms), yref: "paper", y: 1, text, showarrow: false, xanchor: "left", yanchor: "top", font: { color: colour("quiet"), size: 11 } });
  };
  if (get(row, "activated_ms") !== null) upright(get(row, "activated_ms"), "trailing begins");
  // The two levels may be close to each other: one is named on the left, one on the right.
  const level = (value, text, kind, textposition) => lines.push({ type: "line", xref: "paper", x0: 0, x1: 1, y0: Number(value), y1: Number(value),
    line: { color: colour(kind), dash: "dash", width: 1 }, label: { text, textposition, font: { color: colour(kind), size: 11 } } });
  level(get(row, "entry_price"), "entry", "accent", "start");
  level(get(row, "best"), "best", "gain", "end");
  return { lines, notes };
}

function tradeMoves(path) {
  if (!path.moves.length) return element("p", { class: "note", text: "No stop rested while it was open." });
  return element("div", { class: "scroll low", tabindex: "0" }, element("table", { class: "moves" },
    element("thead", {}, element("tr", {}, ...[["time (UTC)", "text"], ["stop", ""], ["why", "text"]].map(([text, kind]) => element("th", { text, class: kind })))),
    element("tbody", {}, ...path.moves.map(([ms, to, , reason]) => element("tr", {},
      element("td", { class: "text number", text: moment(ms) }), element("td", { class: "number", text: price(to) }), element("td", { class: "text", text: reason }))))));
}

function showTrade(row, scroll) {
  const target = document.getElementById("trade"), path = DATA.paths[get(row, "number")];
  const label = get(row, "label"), alarms = get(row, "alarms");
  target.replaceChildren(
    element("p", { id: "told" },
      element("b", { text: `${get(row, "side")} ${get(row, "number")}${label ? ` (${label})` : ""}: ` }),
      `${price(get(row, "entry_price"))} at ${moment(get(row, "entry_ms"))}, ${price(get(row, "exit_price"))} at ${moment(get(row, "exit_ms"))} by ${causeName(get(row, "cause"))}`
        + `${get(row, "crossed") ? ", at market before the stop rested" : ""}; `,
      element("b", { class: tone(get(row, "net_percent")), text: change(get(row, "net_percent")) }),
      ` after ${number(get(row, "fees"))} fees and ${number(get(row, "funding"))} funding; ${percent(get(row, "left_percent"))} left on the table, `
        + `at risk for ${span(get(row, "at_risk_ms"))} of ${span(get(row, "exit_ms") - get(row, "entry_ms"))}.`),
    ...(alarms ? [element("p", { class: "loss", text: alarms })] : []));
  if (path) {
    target.append(element("div", { id: "tradechart", class: "chart" }), tradeMoves(path));
    draw("tradechart", () => {
      const { lines, notes } = tradeShapes(row);
      return { traces: tradeTraces(row, path), shape: { xaxis: { type: "date", rangeslider: { visible: false }, ...roomFor(path.prices) }, yaxis: { tickformat: "~f" }, shapes: lines, annotations: notes, margin: { l: 60, r: 16, t: 24, b: 34 } } };
    });
  } else {
    drawings.delete("tradechart");
    target.append(element("p", { class: "note", text: "Its prices are not in this page." }));
  }
  if (scroll) target.parentElement.scrollIntoView({ behavior: "smooth" });
}

const PAGE = 25;
const table = { sort: "number", down: false, page: 0, cause: "", chosen: null };
const held = (row) => get(row, "exit_ms") - get(row, "entry_ms");
const COLUMNS = [
  ["number", "#", (row) => get(row, "number"), (v) => v, ""],
  ["side", "side", (row) => get(row, "side"), (v) => v, "text"],
  ["label", "label", (row) => get(row, "label"), (v) => v, "text wide"],
  ["entry_ms", "entry (UTC)", (row) => get(row, "entry_ms"), (ms) => moment(ms).slice(0, 16), ""],
  ["entry_price", "at", (row) => Number(get(row, "entry_price")), (_, row) => price(get(row, "entry_price")), "wide"],
  ["exit_price", "exit", (row) => Number(get(row, "exit_price")), (_, row) => price(get(row, "exit_price")), "wide"],
  ["held", "held", held, span, "wide"],
  ["cause", "ended by", (row) => causeName(get(row, "cause")), (v, row) => v + (get(row, "crossed") ? " *" : ""), "text"],
  ["net_percent", "result", (row) => get(row, "net_percent"), change, "tone"],
  ["left_percent", "left", (row) => get(row, "left_percent"), percent, "wide"],
  ["at_risk_ms", "at risk", (row) => get(row, "at_risk_ms"), span, "wide"],
  ["stop_moves", "moves", (row) => get(row, "stop_moves"), (v) => v, "wide"],
].filter(([key]) => key !== "label" || rows.some((row) => get(row, "label")));

function trades() {
  const target = document.getElementById("trades");
  if (!rows.length) { target.append(element("p", { class: "note", text: "No position was opened." })); return; }
  const [, , value] = COLUMNS.find(([key]) => key === table.sort);
  const listed = rows.filter((row) => !table.cause || get(row, "cause") === table.cause);
  listed.sort((a, b) => { const x = value(a), y = value(b); return (x < y ? -1 : x > y ? 1 : 0) * (table.down ? -1 : 1); });
  const pages = Math.max(1, Math.ceil(listed.length / PAGE));
  table.page = Math.min(table.page, pages - 1);
  const turn = (by) => () => { table.page += by; trades(); };
  const choose = (row) => { table.chosen = get(row, "number"); showTrade(row, true); trades(); };
  target.replaceChildren(
    element("div", { class: "controls" },
      element("select", { "aria-label": "what ended them", onchange: (event) => { table.cause = event.target.value; table.page = 0; trades(); } },
        element("option", { value: "", text: "all endings" }),
        ...S.causes.map((group) => element("option", { value: group.name, text: causeName(group.name), selected: table.cause === group.name ? "" : null }))),
      element("button", { text: "‹", "aria-label": "earlier page", disabled: table.page === 0 ? "" : null, onclick: turn(-1) }),
      element("span", { text: `${table.page * PAGE + 1}–${Math.min(listed.length, (table.page + 1) * PAGE)} of ${listed.length}` }),
      element("button", { text: "›", "aria-label": "next page", disabled: table.page >= pages - 1 ? "" : null, onclick: turn(1) }),
      element("span", { class: "note", text: S.crossed ? "* left at market before its stop rested" : "" })),
    element("div", { class: "scroll" }, element("table", {},
      element("thead", {}, element("tr", {}, ...COLUMNS.map(([key, name, , , kind]) =>
        element("th", { class: kind, "aria-sort": table.sort === key ? (table.down ? "descending" : "ascending") : null },
          element("button", { text: name + (table.sort === key ? (table.down ? " ↓" : " ↑") : ""),
            onclick: () => { table.down = table.sort === key && !table.down; table.sort = key; trades(); } }))))),
      element("tbody", {}, ...listed.slice(table.page * PAGE, (table.page + 1) * PAGE).map((row) =>
        element("tr", { class: "pick", tabindex: "0", "aria-selected": String(table.chosen === get(row, "number")),
          onclick: () => choose(row), onkeydown: (event) => { if (event.key === "Enter") choose(row); } },
          ...COLUMNS.map(([, , read, show, kind]) => {
            const read_ = read(row);
            return element("td", { class: kind === "tone" ? tone(read_) : kind, text: show(read_, row) });
          })))))));
}

figures();
causes();
equity();
spread();
const first = rows.filter((row) => DATA.paths[get(row, "number")])
  .reduce((best, row) => (best === null || get(row, "stop_moves") > get(best, "stop_moves") ? row : best), null);
if (first) { table.chosen = get(first, "number"); showTrade(first, false); }
trades();
