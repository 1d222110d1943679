const CAUSE_NAMES = {
  initial_stop: "initial stop", breakeven: "breakeven stop", trail: "trailing stop", backstop: "backstop",
  foreign_stop: "another's stop", user_stop: "stop set by hand", open: "still open",
};

const PHASES = { inactive: "no stop yet", waiting: "waiting", active: "trailing", triggered: "closing", closed: "closed" };

// Prices of one column have as many decimals as the finest of them.
function evenly(rows, names) {
  const places = Math.max(0, ...rows.flatMap((row) => names.map((name) => (String(row[name] ?? "").split(".")[1] ?? "").length)));
  return (text) => {
    if (text === null || text === undefined || places === 0) return price(text);
    const [whole, part = ""] = String(text).split(".");
    return price(`${whole}.${part.padEnd(places, "0")}`);
  };
}

function table(heads, rows) {
  return element("table", {},
    element("thead", {}, element("tr", {}, ...heads.map(([text, kind]) => element("th", { text, class: kind })))),
    element("tbody", {}, ...rows.map((cells) => element("tr", {},
      ...cells.map((text, place) => element("td", { text, class: heads[place][1] }))))));
}

function line(x, y, name, style, more = {}) {
  return { x, y, name, mode: "lines", line: style, hovertemplate: `%{x}<br>${name} %{y}<extra></extra>`, ...more };
}

function pathTraces(one) {
  const times = one.rows.map((row) => instant(row.at_ms));
  const stops = (name) => one.rows.map((row) => (row[name] === null ? null : Number(row[name])));
  const traces = [
    line(one.path.map((point) => instant(point[0])), one.path.map((point) => point[1]), "path", { color: colour("line"), width: 2, dash: "dot" }),
    line(times, one.rows.map((row) => Number(row.price)), "price", { color: colour("price"), width: 2 }),
    line(times, stops("exact_stop"), "exact stop", { color: colour("accent"), width: 1, dash: "dash", shape: "hv" }),
    line(times, stops("live_stop"), "live stop", { color: colour("stop"), width: 2, shape: "hv" }),
  ];
  if (one.end.cause !== "open") {
    traces.push({
      x: [instant(one.end.at_ms)], y: [Number(one.end.price)], mode: "markers", name: "end",
      marker: { color: colour("stop"), size: 11, symbol: "x" },
      hovertemplate: `%{x}<br>${CAUSE_NAMES[one.end.cause]} at %{y}<extra></extra>`,
    });
  }
  return traces;
}

function fanTraces(one) {
  const times = one.rows.map((row) => instant(row.at_ms));
  const ranks = [5, 25, 50, 75, 95];
  const lines = (name, hue, width) => ranks.map((rank, place) => line(
    times, one.rows.map((row) => (row[name] === null ? null : row[name][place])), `${name} ${rank} %`,
    { color: colour(hue), width: rank === 50 ? width : 1, dash: rank === 50 ? "solid" : "dot" }));
  const stops = lines("stop", "stop", 2.5).map((stop) => ({ ...stop, line: { ...stop.line, shape: "hv" } }));
  return [...lines("price", "price", 2.5), ...stops];
}

function level(one) {
  return [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: one.entry, y1: one.entry, line: { color: colour("quiet"), width: 1 } }];
}

DATA.forEach((one, number) => {
  const start = one.rows[0].at_ms;
  const after = (ms) => (ms === start ? "now" : span(ms - start));
  draw(`chart-${number}`, () => ({
    traces: one.kind === "fan" ? fanTraces(one) : pathTraces(one),
    shape: { shapes: level(one), showlegend: true, legend: { orientation: "h", y: -0.15 }, xaxis: { type: "date" }, yaxis: { tickformat: "~f" } },
  }));
  const end = document.getElementById(`end-${number}`), target = document.getElementById(`rows-${number}`);
  if (one.kind === "fan") {
    end.textContent = `Mean result after fees ${change(one.mean_net_percent)}; ${percent(one.no_loss_percent)} of the paths lose nothing. Percentiles 5, 25, 50, 75, 95: ${one.net_percent.map(change).join(", ")}.`;
    target.append(table([["ends by", "text"], ["paths", ""], ["share", ""], ["mean result", ""]],
      one.ends.map((row) => [CAUSE_NAMES[row.cause], String(row.count), percent(row.share_percent), change(row.mean_net_percent)])));
  } else {
    const at = one.end.cause === "open" ? "Still open at" : `Ends after ${after(one.end.at_ms)} by the ${CAUSE_NAMES[one.end.cause]} at`;
    const crossed = one.end.crossed ? " (at market: the stop had not been moved there yet)" : "";
    end.textContent = `${at} ${price(one.end.price)}${crossed}: ${signed(one.end.net)} (${change(one.end.net_percent)}) after fees.`;
    const even = evenly(one.rows, ["price", "exact_stop", "live_stop"]);
    target.append(table(
      [["after", ""], ["price", ""], ["gain", ""], ["phase", "text"], ["exact stop", ""], ["live stop", ""], ["locked in", ""], ["what the rule does", "text wide told"]],
      one.rows.map((row) => [after(row.at_ms), even(row.price), change(row.gain_percent), PHASES[row.phase] ?? row.phase, even(row.exact_stop), even(row.live_stop),
        row.locked_in === null ? NOTHING : `${signed(row.locked_in)} (${change(row.locked_in_percent)})`, row.told.length ? row.told[row.told.length - 1].split("; stop")[0] : ""])));
  }
});
