/** Reads chunked bodies, as strictly as heads: where one ends must not be a matter of taste. [RFC 9112 7.1] */
final class HttpChunks {
    private enum State {
        SIZE, SIZE_SPACE, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILER, TRAILER_NAME, TRAILER_VALUE, TRAILER_LF,
        LAST_LF, DONE, BAD
    }

    private static final int EXTRA_MAX = 8192; // bytes of extensions and trailer fields: they are not endless
    private static final int DIGITS_MAX = 15;

    private State state = State.SIZE;
    private int digits;
    private int extra;
    private long left;

    boolean done() {
        return state == State.DONE;
    }

    boolean bad() {
        return state == State.BAD;
    }

    /**
     * Uses up bytes from `at` on until it comes to bytes of the body, or to the end of it or of the input; returns
     * where they begin. How many they are {@link #data} tells, which takes them.
     */
    int skip(byte[] bytes, int at) {
        while (at < bytes.length && state != State.DATA && state != State.DONE && state != State.BAD) {
            extra += isExtra() ? 1 : 0;
            state = extra > EXTRA_MAX ? State.BAD : step((char) (bytes[at] & 255));
            at++;
        }
        return at;
    }

    /** Of so many bytes, those of this chunk. */
    int data(int n) {
        if (state != State.DATA) {
            return 0;
        }
        int part = (int) Math.min(n, left);
        left -= part;
        state = left == 0 ? State.DATA_CR : State.DATA;
        return part;
    }

    private boolean isExtra() {
        return switch (state) {
            case SIZE_SPACE, EXTENSION, TRAILER, TRAILER_NAME, TRAILER_VALUE, TRAILER_LF -> true;
            default -> false;
        };
    }

    private State step(char c) {
        return switch (state) {
            case SIZE -> sizeDigit(c);
            case SIZE_SPACE -> sizeEnd(c);
            case EXTENSION -> skipped(c, State.EXTENSION, State.SIZE_LF);
            case SIZE_LF -> sizeLineEnd(c);
            case DATA_CR -> c == '\r' ? State.DATA_LF : State.BAD;
            case DATA_LF -> c == '\n' ? State.SIZE : State.BAD;
            case TRAILER -> c == '\r' ? State.LAST_LF : trailerName(c);
            case TRAILER_NAME -> trailerName(c);
            case TRAILER_VALUE -> skipped(c, State.TRAILER_VALUE, State.TRAILER_LF);
            case TRAILER_LF -> c == '\n' ? State.TRAILER : State.BAD;
            default -> c == '\n' ? State.DONE : State.BAD;
        };
    }

    /** Behind the size: its end, or an extension, which may have blanks before it. */
    private static State sizeEnd(char c) {
        return switch (c) {
            case '\r' -> State.SIZE_LF;
            case ';' -> State.EXTENSION;
            case ' ', '\t' -> State.SIZE_SPACE;
            default -> State.BAD;
        };
    }

    private State sizeDigit(char c) {
        int digit = c < 128 ? Character.digit(c, 16) : -1;
        if (digit < 0) {
            return digits > 0 ? sizeEnd(c) : State.BAD;
        }
        left = left * 16 + digit;
        return ++digits > DIGITS_MAX ? State.BAD : State.SIZE;
    }

    private State sizeLineEnd(char c) {
        digits = 0;
        if (c != '\n') {
            return State.BAD;
        }
        return left > 0 ? State.DATA : State.TRAILER;
    }

    private static State skipped(char c, State same, State next) {
        if (c == '\r') {
            return next;
        }
        return c < ' ' && c != '\t' || c == 127 ? State.BAD : same;
    }

    private State trailerName(char c) {
        if (HttpMessage.isToken(c)) {
            return State.TRAILER_NAME;
        }
        return c == ':' && state == State.TRAILER_NAME ? State.TRAILER_VALUE : State.BAD;
    }
}
