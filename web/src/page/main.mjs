/** Entry of the page: draws it, then starts Python behind it. */

import "./app.mjs";
import { AppState } from "./app_state.mjs";
import { restoreTheme } from "./theme.mjs";

restoreTheme();
const session = new AppState();
session.watch();
const app = document.querySelector("ds-app");
app.session = session;
session.start();
