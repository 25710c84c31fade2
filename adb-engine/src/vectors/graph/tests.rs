//! Graphs over vectors that are easy, hard and strange.

use super::*;
use crate::vectors::{
    matrix::Matrix,
    metric::inverse_norm,
    scan::{self, ExactScan, Query, View},
    threads,
    top::Top,
};

struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn row(&mut self, dimensions: usize) -> Vec<f32> {
        (0..dimensions).map(|_| self.next()).collect()
    }
}

fn matrix(rows: &[Vec<f32>]) -> Matrix {
    let mut matrix = Matrix::default();
    for (i, row) in rows.iter().enumerate() {
        matrix.push(2 * i as i64 + 3, row, ExactScan::Halved);
    }
    matrix
}

fn graph(matrix: &Matrix, metric: Metric) -> Graph {
    let block = &matrix.blocks[0];
    let sample: Vec<&[f32]> = (0..block.ids.len()).map(|row| block.row(row)).collect();
    let graph = Graph::new(metric, block.dimensions, &sample);
    feed(&graph, matrix);
    graph
}

fn feed(graph: &Graph, matrix: &Matrix) {
    for block in &matrix.blocks[matrix.block_after(graph.appended())..] {
        graph.append(block, block.ids.partition_point(|&id| id <= graph.appended())).unwrap();
        let new = graph.unlinked();
        new.clone().for_each(|node| graph.link(node));
        graph.reached(new.end);
    }
}

/// Of the `k` nearest to some queries, the share that the graph finds.
fn recall(graph: &Graph, matrix: &Matrix, k: usize, queries: &[Vec<f32>]) -> f64 {
    let view = View { matrix, newest: i64::MAX, dead: &[] };
    let mut found = 0;
    for query in queries {
        let query = Query::new(graph.metric(), query);
        let mut truth = Top::new(graph.metric(), k);
        scan::scan(&view, &query, 0, &mut truth);
        let truth: Vec<i64> = truth.into_sorted().iter().map(|n| n.id).collect();
        let mut top = Top::new(graph.metric(), k);
        let hits = graph.search(query.components, graph.effort(k).unwrap());
        scan::offer(&view, &query, hits.into_iter(), effort::measured(k), &mut top);
        found += top.into_sorted().iter().filter(|n| truth.contains(&n.id)).count();
    }
    found as f64 / (k * queries.len()) as f64
}

#[test]
fn codes_tell_what_is_nearer() {
    let mut noise = Noise(1);
    for dimensions in [1, 5, 64, 100] {
        let mut row = |i: usize| noise.row(dimensions).iter().map(|x| x * i as f32 + 9.0).collect();
        let rows: Vec<Vec<f32>> = (0..50).map(&mut row).collect();
        let sample: Vec<&[f32]> = rows.iter().map(|row| &row[..]).collect();
        for metric in [Metric::L2, Metric::InnerProduct, Metric::Cosine] {
            for (width, precision) in [(Width::Byte, 0.02), (Width::Two, 0.0002)] {
                let coder = Coder::new(metric, dimensions, &sample, width);
                let (mut codes, mut scratch) = (Vec::new(), Vec::new());
                let terms: Vec<_> =
                    rows.iter().map(|r| coder.encode(r, &mut scratch, &mut codes)).collect();
                let codes: Vec<&[u8]> = codes.chunks_exact(coder.stride()).collect();
                assert!(coder.stride().is_multiple_of(64));
                let real = |a: &[f32], b: &[f32]| {
                    let norms = [inverse_norm(a), inverse_norm(b)];
                    match metric {
                        // The squared distance of vectors of length 1.
                        Metric::Cosine => 2.0 - 2.0 * metric.measure(a, b, norms),
                        _ => metric.farness(metric.measure(a, b, norms)),
                    }
                };
                let query = &rows[49];
                let mut far = Vec::new();
                for (codes, terms) in codes.chunks(32).zip(terms.chunks(32)) {
                    coder.probe(query).far(codes, terms, &mut far);
                }
                let all: Vec<f32> = rows.iter().map(|row| real(query, row)).collect();
                let scale = all.iter().fold(0.0_f32, |most, x| most.max((x - all[0]).abs()));
                for i in 0..50 {
                    let error = (far[i] - far[0]) - (all[i] - all[0]);
                    assert!(error.abs() <= precision * scale, "{metric:?} {width:?} {i}: {error}");
                    // Two codes as a vector and a code.
                    let dot = code::dot(codes[49], codes[i], width);
                    let first = code::dot(codes[49], codes[0], width);
                    let both = terms[49].apart(terms[i], dot) - terms[49].apart(terms[0], first);
                    assert!((both - (all[i] - all[0])).abs() <= precision * scale);
                }
            }
        }
    }
}

#[test]
fn a_byte_is_enough_unless_neighbours_are_too_close() {
    let mut noise = Noise(2);
    let near: Vec<_> = (0..500).map(|_| noise.row(16)).collect();
    assert_eq!(graph(&matrix(&near), Metric::L2).coder.width, Width::Byte);
    // Pairs of clusters a thousand lengths apart.
    let far = near.iter().enumerate().map(|(i, row)| {
        let mut row = row.clone();
        row[0] += if i % 2 == 0 { 1000.0 } else { -1000.0 };
        row
    });
    assert_eq!(graph(&matrix(&far.collect::<Vec<_>>()), Metric::L2).coder.width, Width::Two);
}

#[test]
fn what_was_measured_holds_for_other_queries() {
    let mut noise = Noise(3);
    let centers: Vec<_> = (0..40).map(|_| noise.row(24)).collect();
    let mut clustered = |i: usize| -> Vec<f32> {
        centers[i % 40].iter().map(|c| 2.0 * c + 0.2 * noise.next()).collect()
    };
    let easy: Vec<_> = (0..3000).map(&mut clustered).collect();
    let queries: Vec<_> = (0..40).map(clustered).collect();
    let mut noise = Noise(4);
    let hard: Vec<_> = (0..3000).map(|_| noise.row(16)).collect();
    let others: Vec<_> = (0..40).map(|_| noise.row(16)).collect();
    for (rows, queries) in [(easy, queries), (hard, others)] {
        let matrix = matrix(&rows);
        for metric in [Metric::L2, Metric::Cosine] {
            let graph = graph(&matrix, metric);
            assert!(graph.is_unmeasured());
            graph.measure(&matrix, 1);
            assert!(!graph.is_unmeasured());
            for k in [1, 10, 40, 100] {
                let Some(effort) = graph.effort(k) else {
                    // Searches for so many go by a scan.
                    assert!(k > 10, "{metric:?}, {k}");
                    continue;
                };
                let recall = recall(&graph, &matrix, k, &queries);
                assert!(recall >= 0.97, "{metric:?}, {k}: {recall} by {effort}");
            }
        }
    }
}

#[test]
fn a_saved_graph_is_the_same_and_goes_on() {
    let mut noise = Noise(6);
    let rows: Vec<_> = (0..900).map(|_| noise.row(12)).collect();
    let (some, all) = (matrix(&rows[..700]), matrix(&rows));
    let first = graph(&some, Metric::Cosine);
    first.measure(&some, 1);
    let dir = tempfile::tempdir().unwrap();
    let hash = first.save(dir.path(), 4).unwrap();
    let open = |set, metric, dimensions| Graph::open(dir.path(), set, hash, metric, dimensions);
    assert!(open(5, Metric::Cosine, 12).is_err(), "another set");
    assert!(open(4, Metric::L2, 12).is_err(), "another metric");
    assert!(open(4, Metric::Cosine, 13).is_err(), "other dimensions");
    let again = open(4, Metric::Cosine, 12).unwrap();
    assert_eq!((again.last(), again.len()), (first.last(), 700));
    assert_eq!(again.efforts.numbers(), first.efforts.numbers());
    for graph in [&first, &again] {
        feed(graph, &all);
        assert_eq!((graph.last(), graph.len()), (all.last, 900));
    }
    for query in rows.iter().step_by(13) {
        assert_eq!(again.search(query, 20), first.search(query, 20));
    }
}

#[test]
fn strange_vectors_do_no_harm() {
    let mut noise = Noise(7);
    let mut rows: Vec<_> = (0..300).map(|_| noise.row(6)).collect();
    rows.extend([[0.0; 6], [f32::MAX; 6], [f32::MIN_POSITIVE; 6], [-3e38; 6]].map(Vec::from));
    rows.extend(vec![vec![0.5; 6]; 100]);
    let matrix = matrix(&rows);
    for metric in [Metric::L2, Metric::InnerProduct, Metric::Cosine] {
        let graph = graph(&matrix, metric);
        graph.measure(&matrix, 2);
        for query in rows.iter().step_by(7).chain(&rows[300..304]) {
            let found = graph.search(query, 64);
            let different: std::collections::HashSet<_> = found.iter().collect();
            assert_eq!(different.len(), found.len());
        }
    }
}

/// Threads link at the same time, while others search.
#[test]
fn many_link_at_once() {
    let mut noise = Noise(8);
    let rows: Vec<_> = (0..2000).map(|_| noise.row(8)).collect();
    let matrix = matrix(&rows);
    let sample: Vec<&[f32]> = rows.iter().map(|row| &row[..]).collect();
    let graph = Graph::new(Metric::L2, 8, &sample);
    for block in &matrix.blocks {
        graph.append(block, 0).unwrap();
    }
    let new = graph.unlinked();
    std::thread::scope(|scope| {
        let searcher = scope.spawn(|| {
            for row in rows.iter().step_by(3) {
                assert!(graph.search(row, 30).len() <= 30);
            }
        });
        threads::for_each(new.clone().collect(), 4, |node| graph.link(node));
        searcher.join().unwrap();
    });
    graph.reached(new.end);
    graph.measure(&matrix, 2);
    assert!(recall(&graph, &matrix, 10, &rows[..100]) >= 0.97);
}

#[test]
fn many_equal_vectors_hide_nobody() {
    let mut noise = Noise(9);
    let copy: Vec<f32> = noise.row(16);
    let beside = |noise: &mut Noise, by: f32| -> Vec<f32> {
        copy.iter().map(|c| c + by * noise.next()).collect()
    };
    // Pictures that are there many times, and others that are like them.
    let rows: Vec<Vec<f32>> = (0..4000)
        .map(|i| match i {
            1000..1400 => copy.clone(),
            1400..1500 => beside(&mut noise, 0.3),
            2000..2100 => beside(&mut noise, 2.0),
            _ => noise.row(16),
        })
        .collect();
    let matrix = matrix(&rows);
    let dir = tempfile::tempdir().unwrap();
    for metric in [Metric::L2, Metric::Cosine] {
        let made = graph(&matrix, metric);
        let hash = made.save(dir.path(), 7).unwrap();
        let read = Graph::open(dir.path(), 7, hash, metric, 16).unwrap();
        for graph in [made, read] {
            let row = |id: &i64| &rows[(*id as usize - 3) / 2];
            let hidden =
                |i: &usize| !graph.search(&rows[*i], 64).iter().any(|id| *row(id) == rows[*i]);
            assert_eq!((1400..1500).filter(hidden).count(), 0, "{metric:?}: beside the copies");
            let missed = (0..4000).filter(hidden).count();
            assert!(missed <= 10, "{metric:?}: {missed} of all");
            let found = graph.search(&copy, 64);
            assert!(found.len() == 64 && found.iter().all(|id| *row(id) == copy), "{found:?}");
            let all = graph.search(&copy, 1000);
            let copies: std::collections::BTreeSet<_> =
                all.iter().filter(|id| **row(id) == copy).collect();
            let met = all.iter().filter(|id| **row(id) == copy).count();
            assert_eq!((copies.len(), met), (400, 400), "{metric:?}: each copy once");
        }
    }
}
