import java.nio.ByteBuffer;

/** What is said on one connection of iip_load, and what must be heard. */
abstract class LoadTalk {
    final LoadClient load;
    final LoadClient.Conn conn;

    LoadTalk(LoadClient load, LoadClient.Conn conn) {
        this.load = load;
        this.conn = conn;
    }

    static LoadTalk of(LoadClient load, LoadClient.Conn conn) {
        return switch (load.plan.mode) {
            case "pp" -> new LoadEcho(load, conn);
            case "http" -> new LoadHttp(load, conn);
            case "send" -> new LoadSend(load, conn);
            default -> new LoadReceive(load, conn);
        };
    }

    /** Connected: conn.allowed says up to where the stream may go out. */
    void start() {}

    /** Up to n bytes to send, from conn.sent on. */
    byte[] out(int n) {
        return Pattern.bytes(conn.sent, n);
    }

    /** So many of them are on their way. */
    void sent(int n) {}

    abstract void take(byte[] bytes);

    /** The peer said all. */
    abstract void fin();

    /** Nothing more to do. */
    abstract boolean idle();

    void wrong(String what) {
        load.mismatch(conn, what + " at byte " + conn.received + " of a connection");
    }

    boolean verify(ByteBuffer bytes, long at) {
        int n = bytes.remaining();
        if (Pattern.right(bytes, at) < n) {
            wrong("a wrong byte");
            return false;
        }
        load.result.bytes += n;
        load.at.run.count("payload_bytes", n);
        return true;
    }
}
