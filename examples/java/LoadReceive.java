import java.nio.ByteBuffer;

/** recv: a stream that comes. */
final class LoadReceive extends LoadTalk {
    LoadReceive(LoadClient load, LoadClient.Conn conn) {
        super(load, conn);
    }

    @Override
    boolean idle() {
        return conn.eof;
    }

    @Override
    void take(byte[] bytes) {
        if (verify(ByteBuffer.wrap(bytes), conn.received)) {
            conn.received += bytes.length;
        }
    }

    @Override
    void fin() {
        if (load.plan.bytes != Long.MAX_VALUE && conn.received != load.plan.bytes) {
            wrong("an end too early");
        } else {
            load.result.requests++;
            conn.ended = true;
        }
    }
}
