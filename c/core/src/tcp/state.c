/* state.c - every change of state after the handshake, in one table [RFC 9293 3.3.2, figure 5]. */
#include "tcp/tcp.h"

static const iip_u8 iip_tcp_next_state[IIP_TCP_TIME_WAIT + 1][3] = {
    /* state             SEND_FIN            RECEIVE_FIN           FIN_ACKED */
    /* CLOSED       */ { IIP_TCP_CLOSED,     IIP_TCP_CLOSED,       IIP_TCP_CLOSED },
    /* LISTEN       */ { IIP_TCP_LISTEN,     IIP_TCP_LISTEN,       IIP_TCP_LISTEN },
    /* SYN_SENT     */ { IIP_TCP_SYN_SENT,   IIP_TCP_SYN_SENT,     IIP_TCP_SYN_SENT },
    /* SYN_RECEIVED */ { IIP_TCP_FIN_WAIT_1, IIP_TCP_CLOSE_WAIT,   IIP_TCP_SYN_RECEIVED },
    /* ESTABLISHED  */ { IIP_TCP_FIN_WAIT_1, IIP_TCP_CLOSE_WAIT,   IIP_TCP_ESTABLISHED },
    /* FIN_WAIT_1   */ { IIP_TCP_FIN_WAIT_1, IIP_TCP_CLOSING,      IIP_TCP_FIN_WAIT_2 },
    /* FIN_WAIT_2   */ { IIP_TCP_FIN_WAIT_2, IIP_TCP_TIME_WAIT,    IIP_TCP_FIN_WAIT_2 },
    /* CLOSE_WAIT   */ { IIP_TCP_LAST_ACK,   IIP_TCP_CLOSE_WAIT,   IIP_TCP_CLOSE_WAIT },
    /* CLOSING      */ { IIP_TCP_CLOSING,    IIP_TCP_CLOSING,      IIP_TCP_TIME_WAIT },
    /* LAST_ACK     */ { IIP_TCP_LAST_ACK,   IIP_TCP_LAST_ACK,     IIP_TCP_CLOSED },
    /* TIME_WAIT    */ { IIP_TCP_TIME_WAIT,  IIP_TCP_TIME_WAIT,    IIP_TCP_TIME_WAIT }
};

IIP_LOCAL void iip_tcp_transit(struct iip_tcp_conn *conn, iip_u32 event)
{
    conn->id.state = iip_tcp_next_state[conn->id.state][event];
}

IIP_LOCAL int iip_tcp_receives(const struct iip_tcp_conn *conn)
{
    return conn->id.state >= IIP_TCP_ESTABLISHED && conn->id.state <= IIP_TCP_FIN_WAIT_2;
}

IIP_LOCAL int iip_tcp_sends(const struct iip_tcp_conn *conn)
{
    return conn->id.state >= IIP_TCP_ESTABLISHED && conn->id.state != IIP_TCP_FIN_WAIT_2;
}
