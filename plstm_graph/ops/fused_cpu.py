"""The fused engine on the CPU: compiled kernels over graphs, on as many threads as torch uses."""

from __future__ import annotations

import torch
from torch import Tensor

from plstm_graph.graph.linedag import LineDAG


def fused_cpu(query,key,value,source,transition,mark,dag:LineDAG,reverse:bool)->Tensor:
    return torch.ops.plstm_graph.fused_cpu(query,key,value,source,transition,mark,dag.edge_index,dag.line_index,dag.node_ptr,dag.edge_ptr,reverse)

def _np(*ts): return tuple(t.detach().contiguous().numpy() for t in ts)

@torch.library.custom_op("plstm_graph::fused_cpu", mutates_args=())
def _op(query: Tensor,key: Tensor,value: Tensor,source: Tensor,transition: Tensor,mark: Tensor,edge_index: Tensor,line_index: Tensor,node_ptr: Tensor,edge_ptr: Tensor,reverse: bool) -> Tensor:
    from plstm_graph.ops import _fused_small as K
    import numpy as np
    out=torch.zeros_like(value, memory_format=torch.contiguous_format)
    tail,head=_np(edge_index)[0]; a,b=_np(line_index)[0]
    order=K.processing_order(tail,head,a,b,*_np(node_ptr,edge_ptr),reverse)
    K.forward(*_np(query,key,value,source,transition,mark),order,np.arange(node_ptr.numel()-1),*_np(node_ptr,edge_ptr),out.numpy())
    return out
@torch.library.custom_op("plstm_graph::fused_cpu_backward", mutates_args=())
def _bop(grad: Tensor,query: Tensor,key: Tensor,value: Tensor,source: Tensor,transition: Tensor,mark: Tensor,edge_index: Tensor,line_index: Tensor,node_ptr: Tensor,edge_ptr: Tensor,reverse: bool) -> list[Tensor]:
    from plstm_graph.ops import _fused_small as K
    import numpy as np
    grads=[torch.zeros(t.shape,dtype=t.dtype) for t in (query,key,value,source,transition,mark)]
    tail,head=_np(edge_index)[0]; a,b=_np(line_index)[0]
    order=K.processing_order(tail,head,a,b,*_np(node_ptr,edge_ptr),reverse)
    K.backward(*_np(query,key,value,source,transition,mark),order,np.arange(node_ptr.numel()-1),*_np(node_ptr,edge_ptr),*_np(grad),tuple(g.numpy() for g in grads))
    return grads
def setup(ctx,inputs,output):
    ctx.save_for_backward(*inputs[:10]); ctx.reverse=inputs[10]
def bwd(ctx,g):
    return (*_bop(g,*ctx.saved_tensors,ctx.reverse),None,None,None,None,None)
_op.register_autograd(bwd,setup_context=setup)
