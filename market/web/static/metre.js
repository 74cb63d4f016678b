// How bars are counted. A metre is a fraction, as on a score: beats in a bar over the note that is a beat.

/** Sixteenth notes in a bar and in a beat: 16 and 4 in "4/4", 12 and 4 in "3/4", 12 and 2 in "6/8". */
export function sixteenths(metre) {
  const [beats, unit] = metre.split("/").map(Number);
  return { bar: (beats * 16) / unit, beat: 16 / unit };
}
