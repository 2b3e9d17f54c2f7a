/** What the parts of the page's script share. Text reaches the document through textContent alone. */

export const commonScript = `
"use strict";
const tones = { Block: "bad", Audit: "warn", "Audit (Block)": "warn", Allow: "good" };
// Bidi and control characters are written out, so that a name cannot pass for another.
function plain(text) {
  return String(text).replace(/[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}\\p{Cs}\\p{Default_Ignorable_Code_Point}]/gu,
    (character) => "\\\\u{" + character.codePointAt(0).toString(16) + "}");
}
function cell(row, label, text, className) {
  const td = document.createElement("td");
  td.dataset.label = label;
  td.textContent = plain(text);
  if (className) td.className = className;
  row.append(td);
  return td;
}
function badgeOf(action) {
  const badge = document.createElement("span");
  badge.className = "badge " + (Object.hasOwn(tones, action) ? tones[action] : "idle");
  badge.textContent = plain(action);
  return badge;
}
// Whether somebody has marked text in it.
function marked(element) {
  const selection = document.getSelection();
  return selection !== null && !selection.isCollapsed && selection.containsNode(element, true);
}
`;
