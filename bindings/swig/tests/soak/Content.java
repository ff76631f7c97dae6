import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** The bytes of a connection: its number, 8 bytes, and then a function of that number and of where they stand. */
final class Content {
    private Content() {}

    private static long word(long id, long i) {
        long x = (id * 0xd1342543de82ef95L + i) * 0x9e3779b97f4a7c15L;
        return i == 0 ? id : x ^ x >>> 29;
    }

    static byte[] bytes(long id, long offset, int length) {
        int before = (int) (offset % 8);
        ByteBuffer words = ByteBuffer.allocate((before + length + 7) / 8 * 8).order(ByteOrder.LITTLE_ENDIAN);
        for (long i = offset / 8; words.hasRemaining(); i++) {
            words.putLong(word(id, i));
        }
        byte[] bytes = new byte[length];
        words.position(before).get(bytes);
        return bytes;
    }

    static boolean is(ByteBuffer bytes, long id, long offset) {
        return bytes.equals(ByteBuffer.wrap(bytes(id, offset, bytes.remaining())));
    }

    /** The number of the connection whose first bytes these are. */
    static long id(ByteBuffer bytes) {
        return bytes.order(ByteOrder.LITTLE_ENDIAN).getLong(0);
    }
}
