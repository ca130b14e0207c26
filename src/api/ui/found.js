// Where in a conversation the text is that was searched for. It is painted by the browser beside the document, which stays
// as it is.

const NAME = "found";
/** More than this nobody looks through. */
const MOST = 1000;

/** Marks each place of `text` in the texts below `node`; the first of them, or null. */
export function markFound(node, text) {
  if (!globalThis.CSS?.highlights) return null;
  CSS.highlights.delete(NAME);
  if (!text) return null;
  const ranges = [];
  const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
  while (ranges.length < MOST && walker.nextNode()) {
    const { currentNode: place } = walker;
    if (!place.parentNode.closest(".text")) continue;
    for (let at = place.data.indexOf(text); at >= 0 && ranges.length < MOST; at = place.data.indexOf(text, at + text.length)) {
      const range = document.createRange();
      range.setStart(place, at);
      range.setEnd(place, at + text.length);
      ranges.push(range);
    }
  }
  if (!ranges.length) return null;
  CSS.highlights.set(NAME, new Highlight(...ranges));
  return ranges[0];
}
