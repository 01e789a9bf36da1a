/**
 * Who the visitor is: one person a browser, in all its tabs. `?as=2` makes a tab somebody else, to try two people in one
 * browser; links that are shared leave it out.
 */

export function identityName(options) {
  const as = options.get("as");
  return as ? `as-${as.slice(0, 40)}` : "default";
}

/** The page's own address for links to others: with its options, but not as whom it is open here. */
export function sharedBase(base = location) {
  const options = new URLSearchParams(base.search);
  options.delete("as");
  const query = options.toString();
  return `${base.origin}${base.pathname}${query && `?${query}`}`;
}

/** `link`, opened in this browser as another person than this tab is. */
export function asOther(link, options = new URLSearchParams(location.search)) {
  const url = new URL(link);
  url.searchParams.set("as", String((Number(options.get("as")) || 1) + 1));
  return url.href;
}
