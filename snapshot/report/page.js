"use strict";
(() => {
  const tree = document.getElementById("tree");
  const all = (selector, above = document) => [...above.querySelectorAll(selector)];

  // Paper does not unfold.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = all("details:not([open])");
    for (const details of folded) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of folded) details.open = false;
    folded = [];
  });

  if (!tree) return;
  const tools = document.getElementById("tools");
  const search = document.getElementById("search");
  const found = document.getElementById("found");
  const boxes = all("input[type=checkbox]", tools);
  const more = Number(tree.dataset.more);
  let rows = null;
  tools.hidden = false;

  // All that is listed, with whole paths: read when it is first asked for.
  function read(list, above) {
    const read_rows = [];
    for (const item of list.children) {
      if (item.classList.contains("more")) continue;
      const details = item.querySelector(":scope > details");
      const inner = details && details.querySelector(":scope > ul");
      const head = details ? details.firstElementChild : item;
      const whole = details && details.querySelector(":scope > p > bdi, :scope > .inside > p > bdi");
      let name = (whole || head.querySelector(":scope > bdi")).textContent;
      if (inner && !name.endsWith("/")) name += "/";
      const path = above + name;
      read_rows.push({
        item, details: inner ? details : null, path: path.toLowerCase(), kind: item.dataset.kind,
        was_open: Boolean(details && details.open), below: inner ? read(inner, path) : [],
      });
    }
    return read_rows;
  }

  function show(row, words, kinds) {
    const matches = Boolean(row.kind) && kinds.has(row.kind) && words.every((word) => row.path.includes(word));
    let count = matches ? 1 : 0;
    let below = 0;
    for (const inner of row.below) below += show(inner, words, kinds);
    count += below;
    row.item.hidden = count === 0;
    if (row.details) row.details.open = words.length ? below > 0 : row.was_open;
    return count;
  }

  const total = (list) => list.reduce((sum, row) => sum + (row.kind ? 1 : 0) + total(row.below), 0);
  const number = (value) => value.toLocaleString("en");

  function filter() {
    rows ??= read(tree, "/");
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const kinds = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    let count = 0;
    for (const row of rows) count += show(row, words, kinds);
    const is_all = !words.length && kinds.size === boxes.length;
    const counted = more ? ` ${number(more)} more are only counted, and not searched.` : "";
    found.textContent = is_all ? "" : `${number(count)} of ${number(total(rows))} listed changes match.${counted}`;
  }

  let waiting = 0;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 120);
  });
  for (const box of boxes) box.addEventListener("change", filter);
  const set_all = (open) => () => {
    for (const list of all("ul", tree)) if (list.parentElement.matches("details")) list.parentElement.open = open;
  };
  document.getElementById("open-all").addEventListener("click", set_all(true));
  document.getElementById("close-all").addEventListener("click", set_all(false));
})();
