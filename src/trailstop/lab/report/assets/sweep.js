// A cell is found by layer, activation and distance; figures stand flat, in that order.
const { activation, distance, layers, metrics, best } = DATA;
const state = { layer: best.length ? best[0].layer : 0, metric: metrics[0].key };
const metric = (key) => metrics.find((one) => one.key === key);
const place = (layer, a, d) => (layer * activation.length + a) * distance.length + d;
const shown = (one, value) => (value === null ? NOTHING : one.unit === "%" ? (one.signed ? change(value) : percent(value)) : number(value, 0));

function told(layer, a, d) {
  const at = place(layer, a, d);
  return metrics.map((one) => `${one.name}: ${shown(one, one.values[at])}`);
}

// Blue earns, orange loses: told apart by everyone.
function scale(one) {
  const plain = [[0, colour("raised")], [1, colour("accent")]];
  return one.signed ? [[0, "#c2410c"], [0.5, colour("raised")], [1, "#1f5fd0"]] : plain;
}

function heat() {
  const one = metric(state.metric);
  draw("heat", () => {
    const z = activation.map((_, a) => distance.map((_, d) => one.values[place(state.layer, a, d)]));
    const text = activation.map((_, a) => distance.map((_, d) => told(state.layer, a, d).join("<br>")));
    const here = best.filter((cell) => cell.layer === state.layer);
    const first = here.slice(0, 1), now = DATA.now.filter((cell) => cell.layer === state.layer);
    return {
      traces: [
        { type: "heatmap", x: distance.map((_, d) => d), y: activation.map((_, a) => a), z, text, colorscale: scale(one), zmid: one.signed ? 0 : undefined,
          colorbar: { ticksuffix: one.unit === "%" ? " %" : "", thickness: 12, outlinewidth: 0 },
          customdata: activation.map((a) => distance.map((d) => `activation ${a}, distance ${d}`)),
          hovertemplate: "<b>%{customdata}</b><br>%{text}<extra></extra>" },
        { x: first.map((cell) => cell.distance), y: first.map((cell) => cell.activation), mode: "markers", hoverinfo: "skip",
          marker: { symbol: "star", size: 15, color: colour("ink"), line: { color: colour("paper"), width: 1.5 } } },
        { x: now.map((cell) => cell.distance), y: now.map((cell) => cell.activation), mode: "markers", hoverinfo: "skip",
          marker: { symbol: "circle-open", size: 15, color: colour("ink"), line: { width: 2.5 } } },
      ],
      shape: { xaxis: ticks("distance", distance), yaxis: ticks("activation", activation), margin: { l: 60, r: 10, t: 10, b: 46 } },
    };
  });
  document.getElementById("heat").on("plotly_click", (event) => {
    const point = event.points.find((one) => one.data.type === "heatmap");
    if (point) showCell(state.layer, point.y, point.x);
  });
}

// Settings are names on evenly spaced places: a list need not be evenly spaced itself.
function ticks(title, values) {
  const every = Math.max(1, Math.ceil(values.length / 14));
  const at = values.map((_, place) => place).filter((place) => place % every === 0);
  return { title: { text: title }, tickmode: "array", tickvals: at, ticktext: at.map((place) => values[place]), zeroline: false, showgrid: false };
}

function showCell(layer, a, d) {
  const at = place(layer, a, d), causes = DATA.causes.filter((cause) => cause.counts[at] > 0);
  document.getElementById("cell").replaceChildren(
    element("p", {}, element("b", { text: `activation ${activation[a]}, distance ${distance[d]}${layers[layer] ? `, ${layers[layer]}` : ""}` })),
    element("div", { class: "figures" }, ...metrics.map((one) => element("div", { class: "figure" },
      element("div", { class: "name", text: one.name }),
      element("div", { class: `value ${one.signed ? tone(one.values[at]) : ""}`, text: shown(one, one.values[at]) })))),
    element("p", { class: "note", text: causes.map((cause) => `${cause.name} ${cause.counts[at]}`).join(", ") }));
}

function controls() {
  const choose = (name, options, current, change_) => element("select", { "aria-label": name, onchange: (event) => change_(event.target.value) },
    ...options.map(([value, text]) => element("option", { value, text, selected: String(value) === String(current) ? "" : null })));
  document.getElementById("choices").append(
    choose("figure", metrics.map((one) => [one.key, one.name]), state.metric, (key) => { state.metric = key; heat(); }),
    ...(layers.length > 1 ? [choose("settings", layers.map((name, at) => [at, name]), state.layer, (at) => { state.layer = Number(at); heat(); })] : []),
    element("span", { class: "note", text: `★ best here${DATA.now.length ? ", ○ the settings in force" : ""}; a click tells all of a cell` }));
}

function bestTable() {
  const columns = metrics.slice(0, 6);
  document.getElementById("best").append(element("div", { class: "scroll" }, element("table", {},
    element("thead", {}, element("tr", {},
      ...["activation", "distance", ...(layers.length > 1 ? ["settings"] : [])].map((text) => element("th", { text, class: text === "settings" ? "text" : "" })),
      ...columns.map((one) => element("th", { text: one.name })), element("th", { text: "mean of its neighbours" }))),
    element("tbody", {}, ...[...best, ...DATA.now].map((cell, row) => element("tr", { class: "pick", tabindex: "0",
        onclick: () => { state.layer = cell.layer; heat(); showCell(cell.layer, cell.activation, cell.distance); } },
      element("td", { text: activation[cell.activation] }), element("td", { text: distance[cell.distance] }),
      ...(layers.length > 1 ? [element("td", { class: "text", text: layers[cell.layer] })] : []),
      ...columns.map((one) => { const value = one.values[place(cell.layer, cell.activation, cell.distance)];
        return element("td", { class: one.signed ? tone(value) : "", text: shown(one, value) }); }),
      element("td", { class: cell.neighbours === null ? "" : tone(cell.neighbours), text: change(cell.neighbours) + (cell.island ? " (island)" : "") + (row >= best.length ? " (in force)" : "") })))))));
}

controls();
heat();
bestTable();
if (best.length) showCell(best[0].layer, best[0].activation, best[0].distance);
