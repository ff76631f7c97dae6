package org.iip;

/** A negative status of libiip: its number, its stable name, the errno of this system, and the library's own words. */
public final class IipException extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private final int status;
    private final String name;
    private final int errno;

    IipException(int status, String name, int errno, String text) {
        super(text);
        this.status = status;
        this.name = name;
        this.errno = errno;
    }

    /** The number: {@code Iip.E_BUSY} ... */
    public int status() {
        return status;
    }

    /** The name that never changes: {@code "IIP_E_BUSY"}. */
    public String statusName() {
        return name;
    }

    /** The errno of this system that fits it best. */
    public int errno() {
        return errno;
    }
}
