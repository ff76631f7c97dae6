import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Bytes that anybody can compute (examples/c/README.md): byte i is byte i % 8 of word i / 8. */
final class Pattern {
    private Pattern() {}

    private static long word(long i) {
        long x = (i + 1) * 0x9e3779b97f4a7c15L;
        return x ^ x >>> 32;
    }

    /** Bytes of the stream from an offset on. */
    static byte[] bytes(long offset, int length) {
        int before = (int) (offset % 8);
        ByteBuffer words = ByteBuffer.allocate((before + length + 7) / 8 * 8).order(ByteOrder.LITTLE_ENDIAN);
        for (long i = offset / 8; words.hasRemaining(); i++) {
            words.putLong(word(i));
        }
        byte[] bytes = new byte[length];
        words.position(before).get(bytes);
        return bytes;
    }

    /** How many of these bytes are right, from the first one on. */
    static int right(ByteBuffer bytes, long offset) {
        ByteBuffer want = ByteBuffer.wrap(bytes(offset, bytes.remaining()));
        int at = bytes.mismatch(want);
        return at < 0 ? want.remaining() : at;
    }
}
