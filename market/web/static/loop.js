// A loop's own page: the stage with its loop on it.

import { Stage } from "./stage.js";

new Stage(document.querySelector("[data-stage]"));
