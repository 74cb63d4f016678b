// One's own loops: each plays at a click; the next stretch is another page, where each has its status beside it.

import { Cards } from "./cards.js";

new Cards(document.querySelector("#recent"));
