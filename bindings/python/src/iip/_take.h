/* _take.h - the functions of the module _view, beside its types. */
#ifndef IIP_PYTHON_TAKE_H
#define IIP_PYTHON_TAKE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

extern PyMethodDef iip_take_methods[];

#endif
