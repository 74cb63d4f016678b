// An order's page: its stage follows the riff until its loops are there.

import { getRiff } from "./api.js";
import { Cards } from "./cards.js";
import { Stage } from "./stage.js";

const root = document.querySelector("[data-stage]");
const stage = new Stage(root);
const grid = document.querySelector(".grid");
if (grid) new Cards(grid);
getRiff(root.dataset.riff)
  .then((riff) => stage.follow(riff))
  .catch((refusal) => stage.refuse(refusal.message));
