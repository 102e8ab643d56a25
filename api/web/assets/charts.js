// Draws a chart above each table that asks for one (data-chart), from the
// table's own cells: there are no figures anywhere else. Without this script,
// or without the library, the tables stand there open.
"use strict";

(() => {
  if (typeof echarts === "undefined") return;

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const charts = [];

  // The style sheet's colours, as they are now.
  function palette() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue("--" + name).trim();
    return {
      ink: colour("ink"), soft: colour("soft"), line: colour("line"), surface: colour("surface"), sun: colour("sun"),
      none: colour("none"), series: [1, 2, 3, 4, 5, 6].map((i) => colour("series-" + i)), font: style.getPropertyValue("--sans").trim(),
    };
  }

  // A cell's own text, without what stands small below it.
  const said = (cell) => ((cell.querySelector("a") ?? cell).firstChild?.textContent ?? "").trim();

  // What a table says: its rows' names, and its columns that are to be drawn.
  function read(figure) {
    const heads = [...figure.querySelectorAll("thead th")];
    const lines = [...figure.querySelectorAll("tbody tr")].map((tr) => [...tr.children]);
    const series = heads.flatMap((th, i) => th.dataset.draw ? [{
      name: th.textContent.trim(), role: th.dataset.draw, percent: "percent" in th.dataset,
      values: lines.map((cells) => cells[i].dataset.v === undefined ? null : Number(cells[i].dataset.v)),
      texts: lines.map((cells) => said(cells[i])),
    }] : []);
    return { names: lines.map((cells) => said(cells[0])), series };
  }

  const language = document.documentElement.lang || "en";
  const short = new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 });
  const share = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });
  const axisText = (percent) => (v) => (percent ? share : short).format(v);

  // The tooltip quotes the table's texts. It is drawn on the canvas: as HTML the
  // names in it would be markup.
  function tooltip(data, colours, trigger) {
    return {
      trigger, renderMode: "richText", confine: true, backgroundColor: colours.surface, borderColor: colours.line,
      textStyle: { color: colours.ink, fontFamily: colours.font, fontSize: 13 },
      axisPointer: { type: trigger === "axis" ? "line" : "none", lineStyle: { color: colours.soft, opacity: 0.5 } },
      formatter: (hit) => {
        const row = Array.isArray(hit) ? hit[0].dataIndex : hit.dataIndex;
        const lines = data.series.filter((s) => s.texts[row] !== "").map((s) => s.name + "  " + s.texts[row]);
        return [data.names[row], ...lines].join("\n");
      },
    };
  }

  const base = (colours) => ({
    animation: !still.matches, animationDuration: 350, color: colours.series,
    textStyle: { fontFamily: colours.font, color: colours.soft },
  });
  const label = (colours) => ({ color: colours.soft, fontSize: 12, fontFamily: colours.font });
  const names = (data, colours, more) => ({
    type: "category", data: data.names, axisTick: { show: false }, axisLine: { lineStyle: { color: colours.line } },
    axisLabel: { ...label(colours), hideOverlap: true }, ...more,
  });
  const numbers = (data, colours, more) => ({
    type: "value", splitNumber: 4, splitLine: { lineStyle: { color: colours.line } },
    axisLabel: { ...label(colours), formatter: axisText(data.series[0].percent), hideOverlap: true }, ...more,
  });
  const legend = (data, colours) => data.series.length < 2 ? undefined : {
    top: 0, left: 0, itemWidth: 12, itemHeight: 8, icon: "roundRect", textStyle: label(colours), selectedMode: false, type: "scroll",
  };
  const grid = (data, more) => ({ left: 4, right: 16, top: data.series.length > 1 ? 34 : 10, bottom: 4, outerBoundsMode: "same", ...more });

  const kinds = {
    // Lying bars, the first row at the top.
    bars: (data, colours) => ({
      height: 34 + data.names.length * (data.series.length > 1 ? 44 : 36),
      option: {
        ...base(colours), legend: legend(data, colours), grid: grid(data, { right: 64 }), tooltip: tooltip(data, colours, "item"),
        xAxis: numbers(data, colours, { axisLabel: { show: false }, splitLine: { show: false } }),
        yAxis: names(data, colours, { inverse: true, axisLine: { show: false }, axisLabel: { ...label(colours), color: colours.ink, width: 150, overflow: "truncate" } }),
        series: data.series.map((s) => ({
          type: "bar", name: s.name, data: s.values, barMaxWidth: 22, itemStyle: { borderRadius: 4 },
          label: { show: true, position: "right", color: colours.ink, fontSize: 12, formatter: (hit) => s.texts[hit.dataIndex] },
        })),
      },
    }),
    // Lying bars of parts that add up.
    stack: (data, colours) => ({
      height: 50 + data.names.length * 32,
      option: {
        ...base(colours), color: [colours.series[0], colours.none], legend: legend(data, colours), grid: grid(data), tooltip: tooltip(data, colours, "item"),
        xAxis: numbers(data, colours),
        yAxis: names(data, colours, { inverse: true, axisLine: { show: false }, axisLabel: { ...label(colours), color: colours.ink } }),
        series: data.series.map((s) => ({ type: "bar", stack: "all", name: s.name, data: s.values, barMaxWidth: 20, itemStyle: { borderRadius: 3 } })),
      },
    }),
    columns: (data, colours) => ({
      height: 250,
      option: {
        ...base(colours), legend: legend(data, colours), grid: grid(data), tooltip: tooltip(data, colours, "axis"),
        xAxis: names(data, colours), yAxis: numbers(data, colours),
        series: data.series.map((s) => ({ type: "bar", name: s.name, data: s.values, barGap: "8%", itemStyle: { borderRadius: [3, 3, 0, 0] } })),
      },
    }),
    lines: (data, colours) => ({
      height: 290,
      option: {
        ...base(colours), legend: legend(data, colours), grid: grid(data), tooltip: tooltip(data, colours, "axis"),
        xAxis: names(data, colours, { boundaryGap: false }), yAxis: numbers(data, colours),
        series: data.series.map((s, i) => ({
          type: "line", name: s.name, data: s.values, showSymbol: data.names.length < 3, lineStyle: { width: 2 }, emphasis: { disabled: true },
          areaStyle: i === 0 ? { opacity: 0.08 } : undefined,
        })),
      },
    }),
    // A line within its interval; marked rows get a point.
    band: (data, colours) => {
      const of = (role) => data.series.find((s) => s.role === role);
      const value = of("value"), low = of("low"), high = of("high"), smooth = of("smooth"), mark = of("mark");
      const quiet = { type: "line", stack: "interval", symbol: "none", silent: true, lineStyle: { opacity: 0 }, emphasis: { disabled: true } };
      return {
        height: 290,
        option: {
          ...base(colours), grid: grid({ series: [value] }), tooltip: tooltip(data, colours, "axis"),
          xAxis: names(data, colours, { boundaryGap: false }), yAxis: numbers({ series: [value] }, colours),
          series: [
            { ...quiet, data: low.values },
            { ...quiet, data: high.values.map((v, i) => v === null ? null : v - low.values[i]), areaStyle: { color: colours.series[0], opacity: 0.16 } },
            {
              type: "line", name: smooth.name, data: smooth.values, showSymbol: false, lineStyle: { width: 2, type: [5, 5], color: colours.sun }, emphasis: { disabled: true },
            },
            {
              type: "line", name: value.name, data: value.values, showSymbol: false, lineStyle: { width: 2.5, color: colours.series[0] }, emphasis: { disabled: true },
              markPoint: {
                symbol: "circle", symbolSize: 13, itemStyle: { color: colours.sun, borderColor: colours.surface, borderWidth: 2 },
                label: { show: true, position: "top", color: colours.ink, fontSize: 12, fontWeight: 600, formatter: (hit) => data.names[hit.data.coord[0]] },
                data: value.values.flatMap((v, i) => v !== null && mark && mark.texts[i] ? [{ coord: [i, v] }] : []),
              },
            },
          ],
        },
      };
    },
  };

  function draw(chart) {
    const data = read(chart.figure);
    const made = kinds[chart.figure.dataset.chart](data, palette());
    chart.plot.style.height = made.height + "px";
    chart.view ??= echarts.init(chart.plot, null, { renderer: "canvas" });
    chart.view.resize();
    chart.view.setOption(made.option, { notMerge: true });
  }

  for (const figure of document.querySelectorAll("figure[data-chart]")) {
    if (!kinds[figure.dataset.chart]) continue;
    const plot = document.createElement("div");
    plot.className = "plot";
    plot.setAttribute("aria-hidden", "true"); // the table says the same
    const table = figure.querySelector("details");
    table.before(plot);
    const chart = { figure, plot };
    draw(chart);
    charts.push(chart);
    table.open = "open" in table.dataset;
  }

  const redraw = () => charts.forEach(draw);
  dark.addEventListener("change", redraw);
  still.addEventListener("change", redraw);
  let waiting;
  addEventListener("resize", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => charts.forEach((chart) => chart.view.resize()));
  });
  document.documentElement.dataset.drawn = String(charts.length);
})();
