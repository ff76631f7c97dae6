import java.util.Arrays;

/** Bytes that a vector sends, and how a trace tells of bytes. */
final class Bytes {
    static final long START = 0xcbf29ce484222325L;
    static final byte[] PATTERN = new byte[2 << 20];

    static {
        for (int i = 0; i < PATTERN.length; i++) {
            PATTERN[i] = (byte) (i * 31 + (i >> 8) * 17);
        }
    }

    private Bytes() {}

    /** FNV-1a, from hash on. */
    static long fnv(byte[] data, int length, long hash) {
        for (int i = 0; i < length; i++) {
            hash = (hash ^ (data[i] & 255)) * 0x100000001b3L;
        }
        return hash;
    }

    static byte[] pattern(int from, long length) {
        return Arrays.copyOfRange(PATTERN, from, from + (int) length);
    }
}
