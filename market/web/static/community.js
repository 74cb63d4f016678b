// Pages of charts, creators and collections: their loops play at a click.

import { Cards } from "./cards.js";

for (const grid of document.querySelectorAll("[data-cards]")) new Cards(grid);
