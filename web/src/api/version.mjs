/** The version of these modules and of the Python package that they load. */

export const version = "0.1.0";
