import java.nio.ByteBuffer;

/** pp: an echo server returns them. */
final class LoadEcho extends LoadMessages {
    LoadEcho(LoadClient load, LoadClient.Conn conn) {
        super(load, conn);
    }

    @Override
    void take(byte[] bytes) {
        if (conn.received + bytes.length > conn.sent) {
            wrong("more than was sent");
        } else if (verify(ByteBuffer.wrap(bytes), conn.received)) {
            conn.received += bytes.length;
            while (waits() && conn.received >= (finished + 1) * load.plan.unit()) {
                finish();
            }
        }
    }
}
