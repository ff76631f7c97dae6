import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;

/** The body of an answer: so long, of a type, read piece by piece. */
abstract class HttpBody {
    final String type;
    final long length;

    HttpBody(String type, long length) {
        this.type = type;
        this.length = length;
    }

    /** Up to n bytes from there; null: they cannot be had. */
    abstract byte[] read(long at, int n);

    void close() {}

    static HttpBody text(String type, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        return new HttpBody(type, bytes.length) {
            @Override
            byte[] read(long at, int n) {
                return Arrays.copyOfRange(bytes, (int) at, (int) at + n);
            }
        };
    }

    static HttpBody pattern(long length) {
        return new HttpBody("application/octet-stream", length) {
            @Override
            byte[] read(long at, int n) {
                return Pattern.bytes(at, n);
            }
        };
    }

    /** Memory stays flat whatever the size of the file. */
    static HttpBody file(String type, Path path) throws IOException {
        FileChannel channel = FileChannel.open(path);
        return new HttpBody(type, channel.size()) {
            @Override
            byte[] read(long at, int n) {
                try {
                    ByteBuffer to = ByteBuffer.allocate(n);
                    int got = channel.read(to, at);
                    return got <= 0 ? null : Arrays.copyOf(to.array(), got); // it became shorter
                } catch (IOException e) {
                    return null;
                }
            }

            @Override
            void close() {
                try {
                    channel.close();
                } catch (IOException e) {
                    // It was only read.
                }
            }
        };
    }
}
