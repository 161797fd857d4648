// Cap'n Proto measures in words of 8 bytes; this library measures in bytes and says so where it does not.

/** The largest number of words a struct or list may have: list pointers count in 29 bits. */
export const maxListElements = 0x1fffffff;

/** `bytes` rounded up to whole words, in bytes. */
export const padToWord = (bytes: number): number => bytes + (-bytes & 7);
