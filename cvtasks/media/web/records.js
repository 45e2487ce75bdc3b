// What is shown of a record: at least so sure, and of these classes. Nothing here touches the page.

/** "labels", "mask" or "boxes": what a record answers with. */
export function kindOf(record) {
  return ["labels", "mask", "boxes"].find(kind => record[kind]) ?? "nothing";
}

/** Whether the answers of a task are filtered here: of a mask the record has no scores. */
export function isFiltered(model) {
  return model.task !== "segment";
}

/** The record with nothing but what is at least so sure and of a class that is not `off`. */
export function filtered(record, threshold, off) {
  const keeps = one => one.score >= threshold && !off.has(one.name);
  const kind = kindOf(record);
  if (kind === "labels" || kind === "boxes") return { ...record, [kind]: record[kind].filter(keeps) };
  if (kind !== "mask") return record;
  const { rle, shares } = record.mask, kept = {}, shown = {};
  const ground = Object.keys(shares).find(name => !(name in rle));
  let rest = 0;
  for (const [name, share] of Object.entries(shares)) {
    if (name in rle && off.has(name)) { rest += share; continue; }
    shown[name] = share;
    if (name in rle) kept[name] = rle[name];
  }
  if (ground !== undefined) shown[ground] = Math.round((shown[ground] + rest) * 1e6) / 1e6;
  return { ...record, mask: { ...record.mask, shares: shown, rle: kept } };
}

/** "97 %", "0.4 %", "<0.1 %", ">99.9 %"; its space never breaks a line. */
export function percent(share) {
  const isFine = (share > 0 && share < 0.0995) || (share > 0.995 && share < 1);
  const number = share > 0 && share < 0.001 ? "<0.1" : share > 0.999 && share < 1 ? ">99.9"
    : isFine ? (100 * share).toFixed(1) : Math.round(100 * share);
  return `${number}\u00a0%`;
}

/** A row for each class of what is sure enough, also of those that are off: `name`, `value` in
 * words, `share` from 0 to 1, `fixed` where it cannot be put off. The first `most` alone. */
export function classRows(record, threshold, most = 60) {
  const kind = kindOf(record);
  if (kind === "labels") {
    return record.labels.filter(one => one.score >= threshold).slice(0, most)
      .map(one => ({ name: one.name, value: percent(one.score), share: one.score, fixed: false }));
  }
  if (kind === "mask") {
    return Object.entries(record.mask.shares).sort((a, b) => b[1] - a[1]).slice(0, most)
      .map(([name, share]) => ({ name, value: percent(share), share, fixed: !(name in record.mask.rle) }));
  }
  const found = new Map();
  for (const { name, score } of record.boxes ?? []) {
    if (score < threshold) continue;
    const row = found.get(name) ?? { name, count: 0, share: 0, fixed: false };
    row.count += 1;
    row.share = Math.max(row.share, score);
    found.set(name, row);
  }
  return [...found.values()].sort((a, b) => b.count - a.count || b.share - a.share).slice(0, most)
    .map(({ count, ...row }) => ({ ...row, value: count === 1 ? percent(row.share) : `${count} ×` }));
}

/** A filtered record in a few words. */
export function summaryOf(record) {
  const kind = kindOf(record);
  if (kind === "labels") {
    const named = record.labels.slice(0, 3).map(one => `${one.name} ${percent(one.score)}`);
    return named.join(", ") || "No class is sure enough.";
  }
  if (kind === "mask") {
    const shares = Object.entries(record.mask.shares).filter(([name]) => name in record.mask.rle);
    shares.sort((a, b) => b[1] - a[1]);
    return shares.map(([name, share]) => `${name} ${percent(share)}`).join(", ") || "Nothing but background.";
  }
  const counts = new Map();
  for (const { name } of record.boxes ?? []) counts.set(name, (counts.get(name) ?? 0) + 1);
  if (!counts.size) return "Nothing is sure enough.";
  if (record.boxes.length === 1) return `${record.boxes[0].name} ${percent(record.boxes[0].score)}`;
  const named = [...counts].sort((a, b) => b[1] - a[1]).map(([name, count]) => `${count} × ${name}`);
  return named.join(", ");
}
