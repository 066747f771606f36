/** The text that Python's `str(datetime)` writes; also with `T` and a zone, as other services have it. */
const TIMESTAMP = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):?(\d\d))?$/;

let lastMs = NaN;
let lastText = '';

/** `timestampOf` of now; many are made in one millisecond. */
export function timestampOfNow(): string {
  const now = Date.now();
  if (now === lastMs) return lastText;
  lastMs = now;
  lastText = timestampOf(new Date(now));
  return lastText;
}

/** `YYYY-MM-DD HH:MM:SS.ffffff` in UTC; as in Python without a fraction that is exactly zero. */
export function timestampOf(date: Date): string {
  // From the end: a year of more than four digits has a sign.
  const iso = date.toISOString();
  const [day, seconds, fraction] = [iso.slice(0, -14), iso.slice(-13, -5), iso.slice(-4, -1)];
  return fraction === '000' ? `${day} ${seconds}` : `${day} ${seconds}.${fraction}000`;
}

/** The time of a timestamp, to the millisecond; undefined for what is none. */
export function parseTimestamp(text: string): Date | undefined {
  const match = TIMESTAMP.exec(text);
  if (!match) return undefined;
  const [year, month, day, hours, minutes, seconds] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const milliseconds = Number((match[7] ?? '').padEnd(3, '0').slice(0, 3));
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hours, minutes, seconds, milliseconds);
  // A 31st of February, or 25 o'clock, would have become another time.
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || date.getUTCHours() !== hours) return undefined;
  if (minutes > 59 || seconds > 59) return undefined;
  const zoneMinutes = Number(match[9] ?? 0) * 60 + Number(match[10] ?? 0);
  return new Date(date.getTime() - (match[8] === '-' ? -1 : 1) * zoneMinutes * 60_000);
}
