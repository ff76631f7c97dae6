/*
 * _view.c - bytes of the stack as a Python buffer. A View holds one reference of a buffer. Whoever looks at its bytes is
 * counted, in it and in the Home of its engine: meanwhile releasing or closing them, from any thread, is a BufferError.
 */
#include "_take.h"

#include <iip/iip.h>
#include <stdatomic.h>

enum { GONE = -1 }; /* in place of a number of exports: there can be none any more */

struct home { /* one for each engine */
    PyObject_HEAD
    atomic_long exports;
};

struct view {
    PyObject_HEAD
    struct home *home;
    void *bytes;
    Py_ssize_t len;
    uint64_t buf; /* 0: it holds no reference */
    int writable;
    atomic_long exports;
};
static PyTypeObject *home_type;

static int look(atomic_long *exports) /* one more; 0: there can be none */
{
    long n = atomic_load(exports);
    while (n != GONE && !atomic_compare_exchange_weak(exports, &n, n + 1))
        ;
    return n != GONE;
}

/* From no exports to GONE: 0. Else what it is. */
static long end_of(atomic_long *exports)
{
    long n = 0;
    atomic_compare_exchange_strong(exports, &n, GONE);
    return n;
}

static PyObject *home_close(PyObject *self, PyObject *Py_UNUSED(args))
{
    long n = end_of(&((struct home *)self)->exports);
    return n <= 0 ? Py_NewRef(Py_None)
                  : PyErr_Format(PyExc_BufferError, "%ld memoryviews of the engine's memory are alive: release them first", n);
}

static PyObject *home_reopen(PyObject *self, PyObject *Py_UNUSED(args))
{
    atomic_store(&((struct home *)self)->exports, 0); /* the engine refused to close: its memory is there as before */
    Py_RETURN_NONE;
}

static void free_instance(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyObject *view_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    struct view *view;
    PyObject *home;
    unsigned long long address, buf;
    Py_ssize_t len;
    int writable = 0;
    if (!PyArg_ParseTuple(args, "O!KnK|p", home_type, &home, &address, &len, &buf, &writable) ||
        !(view = (struct view *)PyType_GenericAlloc(type, 0)))
        return NULL;
    view->home = (struct home *)Py_NewRef(home);
    view->bytes = (void *)(uintptr_t)address;
    view->len = len;
    view->buf = buf;
    view->writable = writable;
    return (PyObject *)view;
}

static void view_dealloc(PyObject *self)
{
    struct view *view = (struct view *)self;
    if (view->buf && atomic_load(&view->exports) != GONE)
        iip_buf_release(view->buf);
    Py_DECREF(view->home);
    free_instance(self);
}

static int view_getbuffer(PyObject *self, Py_buffer *out, int flags)
{
    struct view *view = (struct view *)self;
    const char *why = "the view is released";
    if (PyBuffer_FillInfo(out, self, view->bytes, view->len, !view->writable, flags) < 0)
        return -1;
    if (look(&view->exports)) {
        if (look(&view->home->exports))
            return 0;
        atomic_fetch_sub(&view->exports, 1);
        why = "the engine is closed";
    }
    Py_CLEAR(out->obj);
    PyErr_SetString(PyExc_ValueError, why);
    return -1;
}

static void view_releasebuffer(PyObject *self, Py_buffer *Py_UNUSED(buffer))
{
    struct view *view = (struct view *)self;
    atomic_fetch_sub(&view->exports, 1);
    atomic_fetch_sub(&view->home->exports, 1);
}

static PyObject *view_give_back(PyObject *self, PyObject *Py_UNUSED(args))
{
    struct view *view = (struct view *)self;
    long n = end_of(&view->exports);
    if (n > 0)
        return PyErr_Format(PyExc_BufferError, "%ld memoryviews of this view are alive: release them first", n);
    return PyLong_FromLong(n == 0 && view->buf ? iip_buf_release(view->buf) : IIP_OK);
}

static Py_ssize_t view_length(PyObject *self)
{
    return ((struct view *)self)->len;
}

static PyMethodDef home_methods[] = {{"close", home_close, METH_NOARGS, "BufferError while memoryviews are alive."},
                                     {"reopen", home_reopen, METH_NOARGS, "Undoes close."}, {0}};
static PyMethodDef view_methods[] = {{"give_back", view_give_back, METH_NOARGS, "Releases the buffer; BufferError while memoryviews are alive."}, {0}};
static PyType_Slot home_slots[] = {{Py_tp_methods, home_methods}, {Py_tp_new, PyType_GenericNew}, {Py_tp_dealloc, free_instance}, {0}};
static PyType_Slot view_slots[] = {{Py_tp_methods, view_methods}, {Py_tp_new, view_new}, {Py_tp_dealloc, view_dealloc},
                                   {Py_sq_length, view_length}, {Py_bf_getbuffer, view_getbuffer}, {Py_bf_releasebuffer, view_releasebuffer}, {0}};
static PyType_Spec home_spec = {"iip._view.Home", sizeof(struct home), 0, Py_TPFLAGS_DEFAULT, home_slots};
static PyType_Spec view_spec = {"iip._view.RawView", sizeof(struct view), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, view_slots};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_view", "Exporter of the stack's bytes.", -1, iip_take_methods};

PyMODINIT_FUNC PyInit__view(void)
{
    PyObject *m = PyModule_Create(&module), *view = PyType_FromSpec(&view_spec);
    home_type = (PyTypeObject *)PyType_FromSpec(&home_spec);
    if (!m || !view || !home_type || PyModule_AddObjectRef(m, "Home", (PyObject *)home_type) < 0 || PyModule_AddObjectRef(m, "RawView", view) < 0)
        return NULL;
    Py_DECREF(view);
#ifdef Py_GIL_DISABLED
    PyUnstable_Module_SetGIL(m, Py_MOD_GIL_NOT_USED);
#endif
    return m;
}
