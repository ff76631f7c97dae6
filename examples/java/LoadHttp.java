import java.nio.ByteBuffer;

/** http: the same request over and over; each answer must be 200 with the right length and bytes. */
final class LoadHttp extends LoadMessages {
    private final byte[] head = new byte[8192];
    private int headN;
    private boolean inBody;
    private long at;
    private long left;

    LoadHttp(LoadClient load, LoadClient.Conn conn) {
        super(load, conn);
    }

    @Override
    byte[] out(int n) {
        byte[] request = load.plan.request;
        byte[] made = new byte[n];
        for (int i = 0; i < n; i++) {
            made[i] = request[(int) ((conn.sent + i) % request.length)];
        }
        return made;
    }

    private void head(ByteBuffer bytes) {
        int had = headN;
        int n = Math.min(bytes.remaining(), head.length - headN);
        bytes.get(bytes.position(), head, had, n);
        int end = HttpMessage.headEnd(head, had + n);
        if (end < 0) {
            bytes.position(bytes.position() + n);
            headN += n;
            if (headN == head.length) {
                wrong("an endless head");
            }
            return;
        }
        bytes.position(bytes.position() + end - had);
        headN = 0;
        HttpMessage answer = HttpMessage.answer(head, end);
        long expect = load.plan.expect;
        if (answer == null || answer.status != 200 || answer.chunked || answer.length < 0
                || expect >= 0 && answer.length != expect) {
            wrong("an answer that is not 200 with the right length");
            return;
        }
        inBody = true;
        at = 0;
        left = answer.length;
    }

    private void body(ByteBuffer bytes) {
        int n = (int) Math.min(bytes.remaining(), left);
        if (load.plan.expect >= 0 && !verify(bytes.slice(bytes.position(), n), at)) {
            return;
        }
        bytes.position(bytes.position() + n);
        at += n;
        left -= n;
    }

    @Override
    void take(byte[] array) {
        ByteBuffer bytes = ByteBuffer.wrap(array);
        conn.received += array.length;
        while (bytes.hasRemaining() && !conn.bad) {
            if (!waits()) {
                wrong("more than was asked for");
                return;
            }
            if (inBody) {
                body(bytes);
            } else {
                head(bytes);
            }
            if (inBody && left == 0 && !conn.bad) {
                inBody = false;
                finish();
            }
        }
    }
}
