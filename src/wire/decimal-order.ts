/** Whole numbers in the order of their decimal text, which is how JSON sorts them, without a text kept for each. */

/** Numbers of so many digits can be put together with their length in 53 bits. */
const DIGITS = 14;
const LENGTHS = 16;
const POWERS = Array.from({ length: DIGITS + 1 }, (_, power) => 10 ** power);

/** The number's digits at the left of `DIGITS` places, then how many they are: in the order of the texts. */
function codeOf(value: number): number {
  let digits = 1;
  while (value >= (POWERS[digits] as number)) digits++;
  return value * (POWERS[DIGITS - digits] as number) * LENGTHS + digits;
}
function numberOf(code: number): number {
  const digits = code - Math.floor(code / LENGTHS) * LENGTHS;
  return (code - digits) / LENGTHS / (POWERS[DIGITS - digits] as number);
}

function* textsOf(codes: Float64Array): Generator<string> {
  for (const code of codes) yield String(numberOf(code));
}

/** The numbers as texts, sorted. `size`: how many there are at most. */
export function decimalOrder(numbers: Iterable<number | bigint>, size: number): Iterable<string> {
  const codes = new Float64Array(size);
  let length = 0;
  for (const number of numbers) {
    // Rare: negative ones and those of more digits.
    if (!(number >= 0 && number < (POWERS[DIGITS] as number))) return Array.from(numbers, String).sort();
    codes[length++] = codeOf(Number(number));
  }
  return textsOf(codes.subarray(0, length).sort());
}
