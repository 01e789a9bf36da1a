/** The version of these modules and of the Python package that they load. */

export const version = "0.1.0";
/** Of all files that were built together: tabs of two builds do not share a node. */
export const build = typeof DARKSWAP_BUILD === "string" ? DARKSWAP_BUILD : version;
