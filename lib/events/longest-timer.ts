/** `setTimeout` fires at once when asked for more. */
export const longestTimerMs = 2 ** 31 - 1;
