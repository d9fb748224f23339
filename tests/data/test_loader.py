from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.utils.data import DataLoader as TorchLoader
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader as StockLoader

from plstm_graph import ToLineDAG
from plstm_graph.chem import featurize
from plstm_graph.data import loader as loader_module
from plstm_graph.data.loader import GraphLoader
from plstm_graph.data.packed import PackedDataset
from plstm_graph.errors import ConfigError

Make = Callable[..., PackedDataset]


@pytest.fixture(scope="module")
def molecules() -> PackedDataset:
    smiles = ["C" * (i % 7 + 1) + "c1ccccc1" + "O" * (i % 2) for i in range(30)]
    arrays, _ = featurize(smiles, progress=False)
    tensors = {key: torch.from_numpy(value) for key, value in arrays.items()}
    return PackedDataset(
        name="rings",
        y=torch.arange(30.0)[:, None],
        task="regression",
        metric="rmse",
        node_kind="atom",
        edge_kind="bond",
        node_fields={"canonical_rank": tensors.pop("canonical_rank")},
        **tensors,
    )


def epoch(loader: GraphLoader) -> list[tuple[list[int], list[int]]]:
    """Graphs of every batch, and which way round their edges point."""
    return [(batch.graph_id.tolist(), batch.dag.edge_id.tolist()) for batch in loader]


def random_loader(dataset: PackedDataset, **options: object) -> GraphLoader:
    return GraphLoader(dataset, 8, shuffle=True, transform=ToLineDAG("random"), **options)


def test_all_rows_in_order(packed: Make) -> None:
    loader = GraphLoader(packed(), 10)
    batches = list(loader)
    assert len(loader) == len(batches) == 3
    assert [batch.graph_id.tolist() for batch in batches] == [[*range(10)], [*range(10, 20)], [20, 21, 22]]
    assert all(isinstance(batch, Batch) for batch in batches)


def test_chosen_rows_and_whole_batches(packed: Make) -> None:
    dataset = packed()
    loader = GraphLoader(dataset, 2, rows=dataset.splits["valid"], drop_last=True)
    assert len(loader) == 2
    assert [batch.graph_id.tolist() for batch in loader] == [[10, 11], [12, 13]]


@pytest.mark.parametrize("workers", [1, 2])
def test_epochs_do_not_depend_on_workers(molecules: PackedDataset, workers: int) -> None:
    here, there = random_loader(molecules, seed=3), random_loader(molecules, seed=3, num_workers=workers)
    for _ in range(3):
        assert epoch(here) == epoch(there)


def test_seed_decides(molecules: PackedDataset) -> None:
    first = epoch(random_loader(molecules, seed=3))
    torch.rand(5)
    assert epoch(random_loader(molecules, seed=3)) == first
    assert epoch(random_loader(molecules, seed=4)) != first


def test_every_epoch_is_new(molecules: PackedDataset) -> None:
    loader = random_loader(molecules, seed=3)
    first, second = epoch(loader), epoch(loader)
    assert [rows for rows, _ in first] != [rows for rows, _ in second]
    assert sorted(row for rows, _ in first for row in rows) == list(range(30))
    fixed = GraphLoader(molecules, 8, transform=ToLineDAG("random"), seed=3)
    first, second = epoch(fixed), epoch(fixed)
    assert [rows for rows, _ in first] == [rows for rows, _ in second]
    assert all(a != b for (_, a), (_, b) in zip(first, second, strict=True))


def test_random_orientation_differs_between_batches_and_workers(molecules: PackedDataset) -> None:
    loader = GraphLoader(
        molecules, 1, rows=torch.zeros(6), transform=ToLineDAG("random"), seed=0, num_workers=2
    )  # the same graph six times, in two workers
    assert len({tuple(edges) for _, edges in epoch(loader)}) == 6


def test_epoch_can_be_chosen(molecules: PackedDataset) -> None:
    straight = random_loader(molecules, seed=3)
    epochs = [epoch(straight) for _ in range(3)]
    resumed = random_loader(molecules, seed=3)
    resumed.set_epoch(2)
    assert epoch(resumed) == epochs[2]
    resumed.sampler.set_epoch(1)  # how Lightning does it
    assert epoch(resumed) == epochs[1]


def test_neighbouring_seeds_share_no_epoch(molecules: PackedDataset) -> None:
    orders = set()
    for seed in range(4):
        loader = random_loader(molecules, seed=seed)
        orders |= {str(epoch(loader)) for _ in range(4)}
    assert len(orders) == 16


def test_without_seed_torch_decides(molecules: PackedDataset) -> None:
    torch.manual_seed(1)
    first = epoch(random_loader(molecules))
    assert epoch(random_loader(molecules)) != first
    torch.manual_seed(1)
    assert epoch(random_loader(molecules)) == first


def test_transform_leaves_the_generator_alone(molecules: PackedDataset) -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    epoch(GraphLoader(molecules, 8, transform=ToLineDAG("random"), seed=5))
    assert torch.equal(torch.rand(3), expected)


def test_shares_of_a_distributed_run(molecules: PackedDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = epoch(random_loader(molecules, seed=1))
    shares = []
    for rank in range(3):
        monkeypatch.setattr(loader_module, "_place", lambda rank=rank: (rank, 3))
        loader = random_loader(molecules, seed=1)
        shares.append(epoch(loader))
        assert len(loader) == len(shares[-1]) == 2
        assert len(GraphLoader(molecules, 8)) == len(list(GraphLoader(molecules, 8))) == 4
    assert [share[0] for share in shares] + [shares[0][1]] == alone
    assert shares[1][1] == alone[0]  # the rest of the last round starts again from the first batch


def test_stock_loader_with_a_transform_per_graph(molecules: PackedDataset) -> None:
    transform = ToLineDAG("canonical")
    whole = next(iter(GraphLoader(molecules, 30, transform=transform)))
    single = molecules.subset(slice(None))
    single.transform = transform
    stock = next(iter(StockLoader(single, batch_size=30)))
    for name in ("edge_index", "edge_id", "line_index", "multitree", "level", "node_ptr", "edge_ptr"):
        assert torch.equal(getattr(stock.dag, name), getattr(whole.dag, name)), name
    assert torch.equal(stock.x, whole.x)
    assert stock.num_graphs == whole.num_graphs


def test_stock_loader_with_workers(molecules: PackedDataset) -> None:
    batches = list(StockLoader(molecules, batch_size=16, num_workers=1))
    assert torch.equal(torch.cat([batch.x for batch in batches]), molecules.x.long())


def test_plain_torch_loader(molecules: PackedDataset) -> None:
    graph = next(iter(TorchLoader(molecules, batch_size=None)))
    assert isinstance(graph, Data)


def test_batch_size_must_be_positive(molecules: PackedDataset) -> None:
    with pytest.raises(ConfigError, match="batch_size must be at least 1, got 0"):
        GraphLoader(molecules, 0)
