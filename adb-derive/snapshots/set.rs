const _: () = {
    use ::adb::__macro as _adb;
    #[automatically_derived]
    impl _adb::DescriptorSet for DishPhotos {
        type Embedder = ClipVitB16;
        const SPEC: _adb::SetSpec = _adb::SetSpec::of::<
            Self,
        >("dish_photos", _adb::Metric::Cosine, _adb::Engine::Hnsw);
    }
};
